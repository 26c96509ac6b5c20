"""python -m opcodetrace."""

from opcodetrace_cli import main

if __name__ == "__main__":
    main()
