"""Items that share a medium, directly or through others, are one cluster."""

from __future__ import annotations


class SharedMedia:
    """Connected components of items over media hashes (union by the smaller root)."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def add(self, shas: list[str]) -> None:
        """One item's media."""
        roots = [self.root(sha) for sha in shas]
        for root in roots[1:]:
            first, second = sorted((self.root(roots[0]), self.root(root)))
            self._parent[second] = first

    def root(self, sha: str) -> str:
        """The component's name: the same whichever of its media is asked for."""
        self._parent.setdefault(sha, sha)
        root = sha
        while self._parent[root] != root:
            root = self._parent[root]
        while self._parent[sha] != root:
            self._parent[sha], sha = root, self._parent[sha]
        return root

    def cluster(self, shas: list[str]) -> str | None:
        """The cluster of an item with these media; None for one without."""
        return self.root(shas[0])[:16] if shas else None
