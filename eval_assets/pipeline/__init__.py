"""What the assets do, as functions that know no Dagster."""
