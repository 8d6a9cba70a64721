"""``python -m siteplan`` equals the ``siteplan`` command."""

from siteplan.cli import main

if __name__ == "__main__":
    main()
