"""Implicit ALS of Spark MLlib, on this machine or on a cluster. Gives vectors of items; the graph is made of them by Understudy. Needs pyspark and numpy.

params: factors (64), sweeps (10), alpha (10), lambda (0.05), partitions (16), master ("local[*]"), maxHistory (500)

A cluster reads the job's folder by the same path as this worker. MLlib cannot go on from the middle of a fit, so another attempt begins anew.
"""

import numpy as np
from pyspark.ml.recommendation import ALS
from pyspark.sql import SparkSession, functions


def train(job):
    params = {"factors": 64, "sweeps": 10, "alpha": 10.0, "lambda": 0.05, "partitions": 16, "master": "local[*]", "maxHistory": 500, **job.params}
    job.progress(0, 3, "starting Spark")
    spark = (
        SparkSession.builder.master(params["master"])
        .appName(f"understudy {job.document['surface']}/{job.document['candidate']}")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", params["partitions"])
        .getOrCreate()
    )
    job.when_cancelled(spark.sparkContext.cancelAllJobs)
    try:
        events = spark.read.parquet(str(job.folder / "interactions.parquet"))
        weights = events.groupBy("user", "item").agg(functions.sum("weight").cast("float").alias("weight")).cache()
        pairs = weights.count()
        job.progress(1, 3, f"{pairs} pairs of a user and an item")
        als = ALS(
            rank=params["factors"], maxIter=params["sweeps"], regParam=params["lambda"], alpha=params["alpha"], implicitPrefs=True,
            userCol="user", itemCol="item", ratingCol="weight", seed=job.seed, numUserBlocks=params["partitions"], numItemBlocks=params["partitions"],
        )  # fmt: skip
        rows = als.fit(weights).itemFactors.collect()
    finally:
        spark.stop()
    job.progress(2, 3, "writing factors")
    factors = np.zeros((job.items, params["factors"]), dtype="<f4")
    for row in rows:
        factors[row["id"]] = row["features"]
    (job.out / "factors.f32").write_bytes(factors.tobytes())
    job.write_manifest(
        {
            "interface": "understudy.factors/1",
            "name": "ALS of Spark MLlib",
            "dimensions": params["factors"],
            "alpha": params["alpha"],
            # MLlib regularizes a user by lambda times what it has; here all are by what the mean user has.
            "lambda": params["lambda"] * pairs / job.users,
            "frequencyScaling": 0,
            "maxHistory": params["maxHistory"],
        }
    )
    job.progress(3, 3, "done")
    return 0
