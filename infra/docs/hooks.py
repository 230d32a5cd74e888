"""What MkDocs calls: the generated pages join those of docs/."""

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from infra.docs.generated import PAGES


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for path, page in PAGES.items():
        files.append(File.generated(config, path, content=page()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """A page that stands on GitHub too links to CHANGELOG.md, which is a page of the site here."""
    return markdown.replace("](../../CHANGELOG.md)", "](../changelog.md)")
