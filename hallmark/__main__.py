"""Commands `hallmark` and `hallmark-stage`, for a checkout and for a wheel, in which modules have other names."""


def main() -> None:
    from infra.cli import main as run_command

    run_command()


def supervise_stage() -> int:
    from tasks.supervise.shell import main as supervise

    return supervise()


if __name__ == "__main__":
    main()
