"""Rows of MMMU and MMMU-Pro."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DISCIPLINES = {
    "Art and Design": ("Art", "Art_Theory", "Design", "Music"),
    "Business": ("Accounting", "Economics", "Finance", "Manage", "Marketing"),
    "Science": ("Biology", "Chemistry", "Geography", "Math", "Physics"),
    "Health and Medicine": (
        "Basic_Medical_Science",
        "Clinical_Medicine",
        "Diagnostics_and_Laboratory_Medicine",
        "Pharmacy",
        "Public_Health",
    ),
    "Humanities and Social Science": ("History", "Literature", "Psychology", "Sociology"),
    "Tech and Engineering": (
        "Agriculture",
        "Architecture_and_Engineering",
        "Computer_Science",
        "Electronics",
        "Energy_and_Power",
        "Materials",
        "Mechanical_Engineering",
    ),
}
_DISCIPLINE = {subject: name for name, subjects in DISCIPLINES.items() for subject in subjects}


def questions(docs: Iterator[dict[str, Any]], root: Path, task: Any) -> Iterator[dict[str, Any]]:
    """`options` as a list (the hub holds its text), `subject` (of the id where no field says it), `discipline`.

    An open question may have several right answers, as the text of a list.
    """
    for doc in docs:
        options = ast.literal_eval(doc["options"]) if isinstance(doc["options"], str) else doc["options"]
        answer = doc["answer"]
        if not options and answer.startswith("["):
            answer = ast.literal_eval(answer)
        subject = doc.get("subject") or doc["id"].partition("_")[2].rpartition("_")[0]
        yield {
            **doc,
            "options": [str(option) for option in options],
            "answer": answer,
            "subject": subject,
            "discipline": _DISCIPLINE.get(subject),
        }
