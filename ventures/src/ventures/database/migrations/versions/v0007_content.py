"""Content: items, versions, approvals, comments."""

from alembic import op

from ventures.database.migrations.declare import regional

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE regional.item (
            venture uuid NOT NULL REFERENCES regional.profile (venture) ON DELETE CASCADE,
            id uuid NOT NULL,
            title text NOT NULL CHECK (length(title) BETWEEN 1 AND 300),
            state text NOT NULL CHECK (
                state IN ('draft', 'pending', 'approved', 'changes_requested', 'scheduled', 'published')),
            number integer NOT NULL CHECK (number > 0),
            approved_number integer CHECK (approved_number = number),
            approved_by uuid,
            published_number integer CHECK (published_number <= number),
            author uuid NOT NULL,
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL,
            version integer NOT NULL,
            deleted_at timestamptz,
            PRIMARY KEY (venture, id),
            CHECK ((state IN ('approved', 'scheduled', 'published')) = (approved_number IS NOT NULL)),
            CHECK ((approved_by IS NOT NULL) = (approved_number IS NOT NULL)),
            CHECK (state <> 'published' OR deleted_at IS NULL)
        )""")
    op.execute("""
        CREATE INDEX item_updated ON regional.item (venture, updated_at DESC, id DESC) WHERE deleted_at IS NULL""")
    op.execute("""
        CREATE TABLE regional.item_version (
            venture uuid NOT NULL,
            item uuid NOT NULL,
            number integer NOT NULL CHECK (number > 0),
            title text NOT NULL CHECK (length(title) BETWEEN 1 AND 300),
            body text NOT NULL CHECK (octet_length(body) <= 200000),
            author uuid NOT NULL,
            at timestamptz NOT NULL,
            PRIMARY KEY (venture, item, number),
            FOREIGN KEY (venture, item) REFERENCES regional.item (venture, id) ON DELETE CASCADE
        )""")
    op.execute("""
        CREATE TABLE regional.approval (
            venture uuid NOT NULL,
            item uuid NOT NULL,
            seq bigint NOT NULL,
            number integer NOT NULL,
            verdict text NOT NULL CHECK (verdict IN ('submitted', 'approved', 'changes_requested', 'voided')),
            by uuid NOT NULL,
            note text NOT NULL CHECK (length(note) <= 2000),
            at timestamptz NOT NULL,
            PRIMARY KEY (venture, item, seq),
            FOREIGN KEY (venture, item, number) REFERENCES regional.item_version (venture, item, number)
                ON DELETE CASCADE
        )""")
    op.execute("""
        CREATE TABLE regional.comment (
            venture uuid NOT NULL,
            id uuid NOT NULL,
            item uuid NOT NULL,
            number integer NOT NULL,
            text text NOT NULL CHECK (length(text) BETWEEN 1 AND 10000),
            author uuid NOT NULL,
            at timestamptz NOT NULL,
            resolved_at timestamptz,
            resolved_by uuid,
            version integer NOT NULL,
            deleted_at timestamptz,
            PRIMARY KEY (venture, id),
            FOREIGN KEY (venture, item, number) REFERENCES regional.item_version (venture, item, number)
                ON DELETE CASCADE,
            CHECK ((resolved_at IS NULL) = (resolved_by IS NULL))
        )""")
    op.execute("CREATE INDEX comment_item ON regional.comment (venture, item, at, id) WHERE deleted_at IS NULL")
    # A version goes only with its whole item: then the deletion comes from the trigger of the foreign key.
    op.execute("""
        CREATE FUNCTION regional.refuse_change_of_version() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'DELETE' AND pg_trigger_depth() > 1 THEN
                RETURN OLD;
            END IF;
            RAISE EXCEPTION 'a version of an item never changes: add a new one' USING ERRCODE = 'restrict_violation';
        END $$""")
    op.execute("""
        CREATE TRIGGER item_version_never_changes BEFORE UPDATE OR DELETE ON regional.item_version
        FOR EACH ROW EXECUTE FUNCTION regional.refuse_change_of_version()""")
    regional("item", "state", ("SELECT", "INSERT", "UPDATE"))
    regional("item_version", "state", ("SELECT", "INSERT"))
    regional("approval", "state", ("SELECT", "INSERT"))
    regional("comment", "state", ("SELECT", "INSERT", "UPDATE"))


def downgrade() -> None:
    for table in ("comment", "approval", "item_version", "item"):
        op.execute(f"DROP TABLE regional.{table}")
    op.execute("DROP FUNCTION regional.refuse_change_of_version()")
