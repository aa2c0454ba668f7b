"""A Temporal worker that trains candidates for Understudy.

    python worker.py --queue training-python --trainer item_knn --state ../../.understudy

`--trainer` names a module beside this file (or on PYTHONPATH) with `train(job)`, which returns the step that it went on from. Temporal is found by the
environment, as `temporal` itself finds it (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, ...). Where Understudy's workers have an
UNDERSTUDY_PAYLOAD_KEY, this one needs the same.
"""

import argparse
import asyncio
import base64
import concurrent.futures
import dataclasses
import datetime
import importlib
import json
import os
import pathlib
import signal
import time

import temporalio.converter
from temporalio import activity
from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from job import CONTRACT, Job


class PayloadCodec(temporalio.converter.PayloadCodec):
    """AES-256-GCM under a key made of the secret by HKDF-SHA256: nonce (12 bytes), what is encrypted, tag (16)."""

    def __init__(self, secret):
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        kdf = HKDF(algorithm=hashes.SHA256(), length=32, salt=b"", info=b"understudy temporal payloads")
        self.cipher = AESGCM(kdf.derive(secret.encode("utf-8")))

    async def encode(self, payloads):
        return [self._encrypt(payload) for payload in payloads]

    async def decode(self, payloads):
        return [self._decrypt(payload) for payload in payloads]

    def _encrypt(self, payload):
        metadata = {name: base64.b64encode(value).decode() for name, value in payload.metadata.items()}
        plain = json.dumps({"metadata": metadata, "data": base64.b64encode(payload.data).decode()}).encode("utf-8")
        nonce = os.urandom(12)
        return Payload(metadata={"encoding": b"binary/encrypted"}, data=nonce + self.cipher.encrypt(nonce, plain, None))

    def _decrypt(self, payload):
        # What was written without a key stays readable.
        if payload.metadata.get("encoding") != b"binary/encrypted":
            return payload
        plain = json.loads(self.cipher.decrypt(payload.data[:12], payload.data[12:], None))
        metadata = {name: base64.b64decode(value) for name, value in plain["metadata"].items()}
        return Payload(metadata=metadata, data=base64.b64decode(plain["data"]))


def data_converter(secret):
    if not secret:
        return temporalio.converter.default()
    return dataclasses.replace(
        temporalio.converter.default(),
        payload_codec=PayloadCodec(secret),
        # Messages of failures too.
        failure_converter_class=temporalio.converter.DefaultFailureConverterWithEncodedAttributes,
    )


def activity_of(trainer, checkpoints, executor):
    @activity.defn(name="train")
    async def train(order: dict) -> dict:
        started = time.monotonic()
        try:
            job = Job(checkpoints, order)
            running = asyncio.get_running_loop().run_in_executor(executor, trainer.train, job)
            cancelled = False
            while not running.done():
                activity.heartbeat(job.said)
                try:
                    await asyncio.wait({running}, timeout=1)
                except asyncio.CancelledError:
                    # The folder is removed once the cancellation is answered: not while something is still written into it.
                    cancelled = True
                    job.cancel()
            if cancelled:
                running.exception()
                raise asyncio.CancelledError()
            resumed_from = running.result()
        except OSError:
            # A disk or a network may be back at the next attempt.
            raise
        except Exception as error:
            raise ApplicationError(f"{type(error).__name__}: {error}", type=type(error).__name__, non_retryable=True) from error
        return {"contract": CONTRACT, "folder": job.name, "seconds": time.monotonic() - started, "resumedFrom": resumed_from}

    return train


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queue", required=True, help="the candidate's `taskQueue`")
    parser.add_argument("--trainer", required=True, help="a module with train(job): item_knn, sasrec_torch, als_spark, or your own")
    parser.add_argument("--state", default=".understudy", help="the state directory, or where its checkpoints/ can be seen from here")
    options = parser.parse_args()
    trainer = importlib.import_module(options.trainer)
    checkpoints = pathlib.Path(options.state).resolve() / "checkpoints"

    connect = {"target_host": "127.0.0.1:7233", **ClientConfig.load_client_connect_config()}
    client = await Client.connect(**connect, data_converter=data_converter(os.environ.get("UNDERSTUDY_PAYLOAD_KEY")))
    stopping = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stopping.set)
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        activities = [activity_of(trainer, checkpoints, executor)]
        # Heartbeats leave so often: progress is seen then, and a cancellation heard.
        often = datetime.timedelta(seconds=3)
        async with Worker(
            client, task_queue=options.queue, activities=activities, max_concurrent_activities=1, max_heartbeat_throttle_interval=often
        ):
            print(f"{options.trainer} serves {options.queue}", flush=True)
            await stopping.wait()


if __name__ == "__main__":
    asyncio.run(main())
