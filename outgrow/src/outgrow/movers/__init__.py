"""What moves tenants: adapters of ``outgrow.ports.Store`` and ``Filling``.

In: settings from the declared file. Out: two stores of one form between which ``outgrow migrate`` carries tenants.
``outgrow.testing.StoreContract`` holds for each. Knows ``ports`` and the rooms before it.
"""
