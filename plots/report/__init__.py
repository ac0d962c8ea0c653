"""One self-contained HTML page about a study at one scale: `python -m grid report STUDY`.

Made in two steps. `facts` gathers everything from the study, its results, its artifacts and its
folder into one `Facts`; `page` turns `Facts` into HTML, each section a pure function in a module of
its own. The page needs no network and no other file: figures are inline SVG, the script and the
style stand in it, and a content security policy lets nothing else run. Whatever comes from a study,
a log or the results is escaped by `markup`, which escapes by default.
"""
