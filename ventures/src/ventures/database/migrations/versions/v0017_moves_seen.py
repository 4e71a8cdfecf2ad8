"""What the application sees of moves: of its ventures from where to where, and how far; how many reads are to be
mirrored. It counts the mirrored ones.
"""

from alembic import op

revision = "0017"
down_revision = "0016"


def routed(view: str) -> None:
    """As `declare.routed`, of a view: the policies of the table below it hold for whoever asks."""
    op.execute(f"GRANT SELECT ON outgrow.{view} TO ventures_app, ventures_runner")


def upgrade() -> None:
    op.execute("""
        CREATE VIEW outgrow.moves WITH (security_invoker = true) AS
        SELECT point, tenant, source, target, state, migration FROM outgrow.tenant_state""")
    routed("moves")
    _mirrored()


def downgrade() -> None:
    op.execute("DROP VIEW outgrow.mirrored")
    op.execute('DROP VIEW "global".move_under_way')
    op.execute("DROP POLICY count_of_own_venture ON outgrow.shadow")
    op.execute("DROP POLICY under_way ON outgrow.migration")
    op.execute("REVOKE ALL ON outgrow.shadow, outgrow.migration FROM ventures_app")
    op.execute("DROP VIEW outgrow.moves")


def _mirrored() -> None:
    """Nothing in a migration that is under way tells of a venture; counts are the venture's own."""
    op.execute("GRANT SELECT (id, point, shadow_share, ended_at) ON outgrow.migration TO ventures_app")
    op.execute("CREATE POLICY under_way ON outgrow.migration FOR SELECT TO ventures_app USING (ended_at IS NULL)")
    op.execute("""
        CREATE VIEW "global".move_under_way WITH (security_invoker = true) AS
        SELECT id, point, shadow_share FROM outgrow.migration WHERE ended_at IS NULL""")
    op.execute('GRANT SELECT ON "global".move_under_way TO ventures_app')
    op.execute("GRANT SELECT, INSERT, UPDATE (matched, differed, failed) ON outgrow.shadow TO ventures_app")
    own = "tenant = current_setting('ventures.venture', true)"
    op.execute(f"CREATE POLICY count_of_own_venture ON outgrow.shadow TO ventures_app USING ({own}) WITH CHECK ({own})")
    op.execute("""
        CREATE VIEW outgrow.mirrored WITH (security_invoker = true) AS
        SELECT migration, tenant AS venture, matched, differed, failed FROM outgrow.shadow""")
    op.execute("GRANT SELECT, INSERT, UPDATE (matched, differed, failed) ON outgrow.mirrored TO ventures_app")
