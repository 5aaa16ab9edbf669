"""Spark needs some hundred megabytes and a JRE: `make test-spark` installs both, sets the variable, and runs these."""

from __future__ import annotations

import os

import pytest

collect_ignore_glob = [] if "SPARK_TESTS" in os.environ else ["test_*.py"]


@pytest.fixture(scope="session")
def cluster():
    """A local Spark cluster of two workers, which answers on this machine only."""
    from pyspark.sql import SparkSession

    from tests import servers
    from triage.ruleset_editor.frames import LOCAL_SPARK

    os.environ["JAVA_HOME"] = str(servers.java())
    builder = SparkSession.builder.master("local[2]").config("spark.sql.shuffle.partitions", "2")
    spark = builder.config(map=LOCAL_SPARK).getOrCreate()
    yield spark
    spark.stop()
