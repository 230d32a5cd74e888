"""MkDocs hooks, which add the generated pages to those in docs/."""

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from infra.docs.pages import PAGES


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for path, page in PAGES.items():
        files.append(File.generated(config, path, content=page()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Return a page whose links to CHANGELOG.md lead to the changelog on the site.

    In the source, these links lead to the file, so that they work on GitHub.
    """
    return markdown.replace("](../../CHANGELOG.md)", "](../changelog.md)")
