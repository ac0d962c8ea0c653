"""The published tables, with measured rows beside the printed ones: Markdown, CSV and LaTeX.

table.py      a table as data                  registry.py  the tables by name; makes and writes them
xlmr_*.py     one published table each         printed.py   its printed rows, their averages checked
measured.py   rows from a results frame        task_table.py  puts both together
markdown.py  latex.py  comma.py                the three forms
"""
