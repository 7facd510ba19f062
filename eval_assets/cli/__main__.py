"""`python -m eval_assets.cli`: the same as `evals`."""

from eval_assets.cli.app import main

if __name__ == "__main__":
    main()
