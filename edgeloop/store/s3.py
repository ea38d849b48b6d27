"""S3 through boto3, the only module that knows boto3. Every call is bounded, every refusal says what to do."""

import hashlib
import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import urlsplit, urlunsplit

from edgeloop.errors import StoreError, StoreSilent
from edgeloop.store.target import Changed, Stored, cache_control, content_type

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


Checksums = Literal["when_supported", "when_required"]
CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 60
ATTEMPTS = 4
REGION = "us-east-1"
"""For servers that know no regions; AWS itself sends a client on from there."""
DIGEST = "sha256"
_ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})
_NO_BUCKET = frozenset({"NoSuchBucket"})
_NO_POLICY = frozenset({"NoSuchBucketPolicy"})
_BAD_KEY = frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "AuthorizationHeaderMalformed"})
_DENIED = frozenset({"403", "AccessDenied", "AllAccessDisabled", "AccountProblem"})
_CHANGED = frozenset({"412", "PreconditionFailed", "409", "ConditionalRequestConflict"})
_BUSY = frozenset({"409", "OperationAborted", "ConditionalRequestConflict", "429"})
"""Somebody else is at the same object, or there are too many: by itself, botocore tries again only after 500, 502, 503 and 504."""
_UNKNOWN_CONDITION = frozenset({"501", "NotImplemented"})
_ABSENT_ONLY = {"IfNoneMatch": "*"}
_OURS_ALREADY = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"})
_PERMISSIONS = {
    "ListObjectsV2": "s3:ListBucket on the bucket",
    "HeadObject": "s3:GetObject below the prefix, or s3:ListBucket on the bucket",
    "GetObject": "s3:GetObject below the prefix, or s3:ListBucket on the bucket",
    "PutObject": "s3:PutObject below the prefix",
}
"""What an operation needs. An object that is not there is denied to whoever may not list the bucket."""
MOST_OPENED = 64
"""Prefixes of the local store that a browser may open."""
PAUSE_S = 0.5
"""The longest wait before the first further try; it doubles."""
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Credentials:
    """An access key; the secret shows in no repr."""

    access_key: str
    secret_key: str = field(repr=False)


def connect(
    endpoint: str, credentials: Credentials | None, checksums: Checksums, *, retry: bool = True, read_timeout_s: int = 0
) -> "S3Client":
    """A client for `endpoint` (empty: AWS). Without credentials, the default chain: environment, profile, role.

    Raises:
        StoreError: the endpoint is not an address, or the AWS configuration names a profile that does not exist.
    """
    with explained("S3", endpoint):
        # Keys that are given decide alone; the default chain may find others next time.
        client = _client if credentials is None else _kept_client
        return client(endpoint, credentials, checksums, ATTEMPTS if retry else 1, read_timeout_s or READ_TIMEOUT_S)


def _client(endpoint: str, credentials: Credentials | None, checksums: Checksums, attempts: int, read_timeout_s: int) -> "S3Client":
    import boto3
    from botocore.config import Config

    custom: dict[str, Any] = {"s3": {"addressing_style": "path"}} if endpoint else {}
    if credentials is not None:
        custom["proxies"] = {}  # a local store is never behind a proxy
    config = Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=read_timeout_s,
        retries={"total_max_attempts": attempts, "mode": "standard"},
        request_checksum_calculation=checksums,
        response_checksum_validation=checksums,
        **custom,
    )
    session = boto3.Session(
        aws_access_key_id=credentials.access_key if credentials else None,
        aws_secret_access_key=credentials.secret_key if credentials else None,
    )
    region = REGION if credentials else session.region_name or REGION
    return session.client("s3", endpoint_url=endpoint or None, region_name=region, config=config)


# Threads may share a client, and making one takes a tenth of a second: whoever waits for a store asks it often.
_kept_client = lru_cache(maxsize=8)(_client)


def accepts_writes(endpoint: str, credentials: Credentials, bucket: str) -> bool:
    """One bounded try to store an object: whether the server is up and writes."""
    from botocore.exceptions import BotoCoreError, ClientError

    client = connect(endpoint, credentials, "when_supported", retry=False, read_timeout_s=5)
    try:
        with _tolerated(_OURS_ALREADY):
            client.create_bucket(Bucket=bucket)
        client.put_object(Bucket=bucket, Key="ready", Body=b"ready")
    except (BotoCoreError, ClientError):
        return False
    return True


@dataclass(frozen=True)
class Entry:
    """An object as a listing shows it; `version` changes with its content."""

    key: str
    bytes: int
    version: str


class S3Target:
    """A prefix of a bucket."""

    def __init__(self, client: "S3Client", bucket: str, prefix: str, endpoint: str, *, browsable: bool) -> None:
        self._client, self._bucket, self._endpoint = client, bucket, endpoint
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._browsable = browsable

    def address(self, key: str) -> str:
        where = f"{self._bucket}/{self._prefix}{key}"
        return f"{self._endpoint}/{where}" if self._browsable else f"s3://{where}"

    def prepare(self, *, create: bool) -> None:
        """See that the bucket is there; with `create`, make it, and let anybody read what is below the prefix.

        Raises:
            StoreError: it is not there or not ours to use.
        """
        from botocore.exceptions import ClientError

        with self._explained():
            try:
                self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, MaxKeys=1)
            except ClientError as error:
                if _code(error) not in _ABSENT | _NO_BUCKET:
                    raise
                self._make_bucket(create)
            if create:
                self._open_to_all()

    def digest(self, key: str) -> str | None:
        from botocore.exceptions import ClientError

        with self._explained():
            try:
                return self._client.head_object(Bucket=self._bucket, Key=self._prefix + key)["Metadata"].get(DIGEST)
            except ClientError as error:
                if _code(error) in _ABSENT:
                    return None
                raise

    def put(self, key: str, content: bytes) -> None:
        with self._explained():
            _tried_again(lambda: self._put(key, content, {}))

    def create(self, key: str, content: bytes) -> None:
        from botocore.exceptions import ClientError

        with self._explained():
            try:
                self._put(key, content, _ABSENT_ONLY)
            except ClientError as error:
                if _code(error) in _CHANGED:
                    raise Changed(key) from None
                if _code(error) in _UNKNOWN_CONDITION:
                    raise StoreError(
                        f"{self.address(key)} cannot be created in one step: the server knows no conditional writes (If-None-Match).",
                        "Publish to a server that does (AWS S3, SeaweedFS, MinIO, Ceph), or to a folder.",
                    ) from None
                raise

    def read(self, key: str) -> Stored | None:
        from botocore.exceptions import ClientError

        with self._explained():
            try:
                return _tried_again(lambda: self._get(key))
            except ClientError as error:
                if _code(error) in _ABSENT:
                    return None
                raise

    def replace(self, key: str, content: bytes, seen: Stored | None) -> None:
        from botocore.exceptions import ClientError

        with self._explained():
            try:
                self._put(key, content, _ABSENT_ONLY if seen is None else {"IfMatch": seen.version})
            except ClientError as error:
                if _code(error) in _CHANGED | _ABSENT:
                    raise Changed(key) from None
                if _code(error) not in _UNKNOWN_CONDITION:
                    raise
                _tried_again(lambda: self._put(key, content, {}))  # a server without conditional writes: the last one wins

    def keys(self, name: str, below: str = "") -> list[str]:
        begun = self._prefix + below
        with self._explained():
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=begun, Delimiter="/")
            folders = [common["Prefix"] for page in pages for common in page.get("CommonPrefixes", [])]
        return sorted(f"{folder.removeprefix(self._prefix)}{name}" for folder in folders)

    def entries(self) -> Iterator[Entry]:
        """Every object below the prefix, at any depth.

        Raises:
            StoreError: the bucket is not there, or may not be listed.
        """
        with self._explained():
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix):
                for found in page.get("Contents", []):
                    yield Entry(found["Key"].removeprefix(self._prefix), found["Size"], f"{found['Size']} {found['ETag']}")

    def _get(self, key: str) -> Stored:
        answer = self._client.get_object(Bucket=self._bucket, Key=self._prefix + key)
        return Stored(answer["Body"].read(), answer["ETag"])

    def _put(self, key: str, content: bytes, condition: dict[str, Any]) -> None:
        sha256 = hashlib.sha256(content).hexdigest()
        told: dict[str, Any] = {"ContentType": content_type(key), "CacheControl": cache_control(key), "Metadata": {DIGEST: sha256}}
        self._client.put_object(Bucket=self._bucket, Key=self._prefix + key, Body=content, **told, **condition)

    def _make_bucket(self, create: bool) -> None:
        if not create:
            raise StoreError(
                f"There is no bucket '{self._bucket}' at {shown(self._endpoint)}.",
                "Create it, or name another one in params.yaml: publish.to.",
            )
        with _tolerated(_OURS_ALREADY):
            self._client.create_bucket(Bucket=self._bucket)

    def _open_to_all(self) -> None:
        """Let a browser on this machine open what is published in the local store; what else its policy says stays."""
        statement = {
            "Effect": "Allow",
            "Principal": "*",
            "Action": ["s3:GetObject"],
            "Resource": [f"arn:aws:s3:::{self._bucket}/{self._prefix}*"],
        }
        known: list[Any] = []
        with _tolerated(_NO_POLICY):
            known = json.loads(self._client.get_bucket_policy(Bucket=self._bucket)["Policy"])["Statement"]
        if statement not in known:
            # A policy has an end: of the prefixes that were opened like this, the last ones stay open.
            ours = [one for one in known if {**one, "Resource": None} == {**statement, "Resource": None}]
            kept = [one for one in known if one not in ours[: -MOST_OPENED + 1]]
            policy = {"Version": "2012-10-17", "Statement": [*kept, statement]}
            self._client.put_bucket_policy(Bucket=self._bucket, Policy=json.dumps(policy))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        with explained(f"s3://{self._bucket}/{self._prefix}", self._endpoint):
            yield


def shown(endpoint: str) -> str:
    """The endpoint as messages show it: without a name or password that it may hold."""
    if not endpoint:
        return "AWS"
    parts = urlsplit(endpoint)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _tried_again(call: Callable[[], Answer]) -> Answer:
    """Make a request that may be repeated, and again where its answer breaks off or the server is busy: botocore leaves that to us."""
    from botocore import exceptions as aws

    broken = (aws.ResponseStreamingError, aws.IncompleteReadError, aws.ReadTimeoutError, aws.FlexibleChecksumError)
    for tried in range(ATTEMPTS - 1):
        try:
            return call()
        except broken:
            pass
        except aws.ClientError as error:
            if _code(error) not in _BUSY:
                raise
        time.sleep(random.uniform(0, PAUSE_S * 2**tried))
    return call()


@contextmanager
def explained(what: str, endpoint: str) -> Iterator[None]:
    """Turn what boto3 raises into a StoreError with a remedy. Neither the keys nor the request are in its text."""
    from botocore import exceptions as aws
    from botocore.parsers import ResponseParserError

    where = f"{what} at {shown(endpoint)}"
    try:
        yield
    except (
        aws.NoCredentialsError,
        aws.PartialCredentialsError,
        aws.CredentialRetrievalError,
        aws.TokenRetrievalError,
        aws.ProfileNotFound,
    ):
        raise StoreError(
            f"There are no usable credentials for {where}.",
            "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; outside a project AWS_ENDPOINT_URL where it is not AWS. "
            "In a project publish.endpoint of params.yaml says where: local for the local store.",
        ) from None
    except (aws.ConnectionError, aws.HTTPClientError) as error:
        raise StoreSilent(
            f"{where} does not answer ({type(error).__name__}).",
            "Check publish.endpoint in params.yaml (outside a project AWS_ENDPOINT_URL), the network, and that the server runs.",
        ) from None
    except (aws.IncompleteReadError, aws.FlexibleChecksumError, ResponseParserError) as error:
        raise StoreSilent(
            f"{where} breaks off in the middle of its answers ({type(error).__name__}).", "Check the network and the server; try again."
        ) from None
    except aws.ClientError as error:
        raise (StoreSilent if _is_overloaded(error) else StoreError)(*_refusal(where, error)) from None
    except (aws.BotoCoreError, ValueError) as error:
        reason = str(error).replace(endpoint, shown(endpoint)) if endpoint else str(error)
        raise StoreError(
            f"{where} cannot be used: {reason}",
            "Correct publish.to and publish.endpoint in params.yaml, or outside a project --from and AWS_ENDPOINT_URL.",
        ) from None


def _is_overloaded(error: Any) -> bool:
    """Whether the server is in trouble, rather than refusing what was asked."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return isinstance(status, int) and ((status >= 500 and status != 501) or _code(error) in _BUSY)


def _refusal(where: str, error: Any) -> tuple[str, str]:
    code = _code(error)
    if code in _BAD_KEY:
        return f"{where} does not accept the access key ({code}).", "Check the access key, its secret, its region and this machine's clock."
    if code in _DENIED:
        lacks = _PERMISSIONS.get(error.operation_name, f"s3:{error.operation_name}")
        return (
            f"{where} denies {error.operation_name} ({code}): the key lacks {lacks}.",
            "Take another key, or allow that: docs/publish.md has the policies of a publisher and of a reader.",
        )
    if _is_overloaded(error):
        return f"{where} does not answer {error.operation_name}: it is in trouble or overloaded ({code}).", "Try again a little later."
    if code in _NO_BUCKET:
        return f"{where}: there is no such bucket.", "Create it, or name another one in params.yaml: publish.to."
    return (
        f"{where} refused {error.operation_name}: {code}.",
        "Set publish.checksums to when_required for a server that knows no checksums.",
    )


@contextmanager
def _tolerated(codes: frozenset[str]) -> Iterator[None]:
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        if _code(error) not in codes:
            raise


def _code(error: Any) -> str:
    """The code of a botocore ClientError."""
    return str(error.response.get("Error", {}).get("Code", "unknown"))
