"""Check, before Ray connects, that the head node at RAY_ADDRESS answers and accepts the token.

Ray itself retries for 20 s if the head node refuses the token, and for minutes if no head node answers. It raises the
same error in both cases.
"""

import os
from pathlib import Path

from tasks.core.errors import InputError, Unavailable

TIMEOUT_SECONDS = 10.0
"""Maximum wait for the head node's answer in seconds. A running head node answers within milliseconds."""
TLS_VARIABLE, TLS_FILE_VARIABLES = "RAY_USE_TLS", ("RAY_TLS_SERVER_CERT", "RAY_TLS_SERVER_KEY", "RAY_TLS_CA_CERT")
TOKEN_ADVICE = "RAY_AUTH_MODE=token and RAY_AUTH_TOKEN, or RAY_AUTH_TOKEN_PATH for a file that holds it"


def require_head_reachable(address: str) -> None:
    """Verify that the cluster at `address` answers and accepts the token.

    Only addresses of the form HOST:PORT are checked. Other forms (`auto`, `ray://…`) are resolved by Ray itself, whose
    errors the caller turns into `token_error` and `unreachable_error`.

    Raises:
        Unavailable: No cluster answers at the address.
        InputError: The token is wrong or missing, or a file for TLS is missing.
    """
    import grpc
    from ray._private.grpc_utils import init_grpc_channel  # uses the token, and TLS if RAY_USE_TLS is set
    from ray.core.generated import gcs_service_pb2, gcs_service_pb2_grpc
    from ray.exceptions import AuthenticationError

    if address == "auto" or "://" in address:
        return
    if uses_tls():
        require_tls_files()
    try:
        with init_grpc_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
            stub = gcs_service_pb2_grpc.NodeInfoGcsServiceStub(channel)
            stub.CheckAlive(gcs_service_pb2.CheckAliveRequest(), timeout=TIMEOUT_SECONDS)  # type: ignore[attr-defined]  # generated at run time
    except AuthenticationError:
        raise missing_token_error() from None
    except grpc.RpcError as error:
        if error.code() == grpc.StatusCode.UNAUTHENTICATED:
            raise token_error(address) from None
        raise unreachable_error(address, f"{error.code().name}: {error.details()}") from None


def uses_tls() -> bool:
    return os.environ.get(TLS_VARIABLE, "0").lower() in ("1", "true")


def require_tls_files() -> None:
    for name in TLS_FILE_VARIABLES:
        path = os.environ.get(name)
        if not path:
            raise InputError(
                f"{TLS_VARIABLE} is set, and {name} is not; set {', '.join(TLS_FILE_VARIABLES)} to files in PEM"
            )
        try:
            Path(path).read_bytes()
        except OSError as error:
            raise InputError(f"{name}: {path} cannot be read ({error.strerror}); name a file in PEM") from None


def security_warning(address: str) -> str | None:
    """Return a warning if the connection to the cluster uses no token or no TLS, else None.

    It suffices to examine the settings of this machine, because the cluster has already accepted a connection with
    them.
    """
    if address == "auto" or "://" in address:
        return None
    ways = []
    if os.environ.get("RAY_AUTH_MODE", "").lower() != "token":
        ways.append("asks for no token, so whoever reaches it runs code on its machines (RAY_AUTH_MODE=token)")
    if not uses_tls():
        ways.append(f"has no TLS, so whoever sees its network reads along ({TLS_VARIABLE}=1)")
    return f"the cluster at {address} {' and '.join(ways)}; docs/guides/cluster.md says more" if ways else None


def missing_token_error() -> InputError:
    if path := os.environ.get("RAY_AUTH_TOKEN_PATH"):
        return InputError(f"RAY_AUTH_TOKEN_PATH: {path} cannot be read or is empty; name the file that holds the token")
    return InputError(f"RAY_AUTH_MODE is token, and there is no token; set {TOKEN_ADVICE}")


def token_error(address: str) -> InputError:
    """Return the error for a missing or wrong token. The error message does not contain the token."""
    given = next((name for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH") if os.environ.get(name)), None)
    if os.environ.get("RAY_AUTH_MODE") != "token" or given is None:
        return InputError(f"Ray at RAY_ADDRESS={address} asks for a token; set {TOKEN_ADVICE}")
    return InputError(f"Ray at RAY_ADDRESS={address} refuses the token of {given}; set that of this cluster")


def unreachable_error(address: str, reason: str) -> Unavailable:
    tls = f"{TLS_VARIABLE} is {'' if uses_tls() else 'not '}set here: is it on the cluster?"
    return Unavailable(
        f"Ray does not answer at RAY_ADDRESS={address} ({reason}); start the cluster, or set RAY_ADDRESS to "
        f"where it is. {tls}"
    )
