"""Whether the Ray cluster at RAY_ADDRESS lets this stage in, asked before Ray is.

Ray itself tries for 20 s where a head refuses its token and for minutes where there is none, and then says the same of
both.
"""

import os

from tasks.core.errors import InputError, Unavailable

SECONDS = 10.0
"""A head that is there answers within milliseconds."""
GIVE = "RAY_AUTH_MODE=token and RAY_AUTH_TOKEN, or RAY_AUTH_TOKEN_PATH for a file that holds it"


def require(address: str) -> None:
    """Raises Unavailable where nothing answers at HOST:PORT, InputError where a token is asked for or refused.

    Other forms of an address (`auto`, `ray://…`) are for Ray to resolve; `refused` and `away` say what it found.
    """
    import grpc
    from ray._private.grpc_utils import init_grpc_channel  # with the token, and with TLS where RAY_USE_TLS asks for it
    from ray.core.generated import gcs_service_pb2, gcs_service_pb2_grpc
    from ray.exceptions import AuthenticationError

    if address == "auto" or "://" in address:
        return
    try:
        with init_grpc_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
            stub = gcs_service_pb2_grpc.NodeInfoGcsServiceStub(channel)
            stub.CheckAlive(gcs_service_pb2.CheckAliveRequest(), timeout=SECONDS)  # type: ignore[attr-defined]  # made at run time
    except AuthenticationError:
        raise unreadable() from None
    except grpc.RpcError as error:
        if error.code() == grpc.StatusCode.UNAUTHENTICATED:
            raise refused(address) from None
        raise away(address, f"{error.code().name}: {error.details()}") from None


def unreadable() -> InputError:
    """Ray is to show a token, and finds none."""
    if path := os.environ.get("RAY_AUTH_TOKEN_PATH"):
        return InputError(f"RAY_AUTH_TOKEN_PATH: {path} cannot be read or is empty; name the file that holds the token")
    return InputError(f"RAY_AUTH_MODE is token, and there is no token; set {GIVE}")


def refused(address: str) -> InputError:
    """What to do where a head does not take what it was given; never with the token in it."""
    given = next((name for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH") if os.environ.get(name)), None)
    if os.environ.get("RAY_AUTH_MODE") != "token" or given is None:
        return InputError(f"Ray at RAY_ADDRESS={address} asks for a token; set {GIVE}")
    return InputError(f"Ray at RAY_ADDRESS={address} refuses the token of {given}; set that of this cluster")


def away(address: str, why: str) -> Unavailable:
    return Unavailable(
        f"Ray does not answer at RAY_ADDRESS={address} ({why}); start the cluster, or set RAY_ADDRESS to where it is"
    )
