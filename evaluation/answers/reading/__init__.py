"""Question files of several forms, read into one."""

from evaluation.answers.reading.formats import FORMS, read_questions

__all__ = ["FORMS", "read_questions"]
