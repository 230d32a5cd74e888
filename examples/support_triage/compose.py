"""Composition of a case as a ticket, a chat or an e-mail: its sentences, their order, and typing errors."""

from random import Random

from examples.support_triage import noise
from examples.support_triage.cases import Case
from examples.support_triage.grammar import Grammar

Turn = dict[str, str]


class Composer:
    def __init__(self, grammar: Grammar, language: str) -> None:
        self.grammar = grammar
        self.language = language
        self.used_sentences: set[str] = set()

    def ticket(self, rng: Random, case: Case) -> str:
        """Return the text of one field of a web form: mostly without a greeting, sometimes with HTML entities."""
        text = self._body(rng, case)
        text = self._maybe(rng, 0.3, "hello", after=" ") + text + self._maybe(rng, 0.25, "bye", before=" ")
        return noise.add_html_entities(rng, self._scribble(rng, text))

    def email(self, rng: Random, case: Case) -> str:
        """Return lines with a greeting and a signature, sometimes quoted as in a reply."""
        greeting = self._maybe(rng, 0.6, "hello", after="\n")
        sign = self._maybe(rng, 0.6, "sign", before="\n") + self._maybe(rng, 0.6, "name", before="\n")
        text = greeting + self._scribble(rng, self._body(rng, case)) + sign
        return noise.quote_lines(rng, text)

    def chat(self, rng: Random, case: Case) -> list[Turn]:
        """Return one to three turns. The decisive words may be in the customer's first or last turn."""
        lines = [self._scribble(rng, line) if i % 2 == 0 else line for i, line in enumerate(self._dialogue(rng, case))]
        return [{"role": ("user", "assistant")[i % 2], "content": line} for i, line in enumerate(lines)]

    def _dialogue(self, rng: Random, case: Case) -> list[str]:
        phrases, chance, say = self.grammar.intents[case.triage.intent], rng.random(), self.grammar.expand_rule
        if case.twist in phrases:
            if case.twist == "clear" and "vague" in phrases and chance < 0.2:
                return [self._core(rng, case, "vague"), say(rng, "agent_ask"), self._core(rng, case, "clear")]
            if chance < 0.4:
                return [say(rng, "short"), say(rng, "agent_hello"), self._core(rng, case, case.twist)]
        elif chance < 0.4:
            return [self._core(rng, case, "clear"), say(rng, "agent_else"), self._turn(rng, case)]
        return [self._body(rng, case)]

    def _body(self, rng: Random, case: Case) -> str:
        own = case.twist in self.grammar.intents[case.triage.intent]
        matter = [self._core(rng, case, case.twist)] if own else [self._core(rng, case, "clear"), self._turn(rng, case)]
        if not own and rng.random() < 0.25:
            matter.reverse()
        before, after = self._maybe(rng, 0.06, "aside"), self._maybe(rng, 0.1, "aside")
        other = self._maybe(rng, 0.03, "aside_other")
        return " ".join(part for part in (before, *matter, after if after != before else "", other) if part)

    def _core(self, rng: Random, case: Case, twist: str) -> str:
        """Return the sentence about the matter, in words that were not used before if 100 attempts find some.

        Messages that differ only in the greeting would be duplicates that were not planted.
        """
        phrases = self.grammar.intents[case.triage.intent][twist]
        for _ in range(100):
            text = self.grammar.expand(rng, rng.choice(phrases))
            if text not in self.used_sentences:
                break
        self.used_sentences.add(text)
        return _sentence(text)

    def _turn(self, rng: Random, case: Case) -> str:
        return _sentence(self.grammar.expand(rng, rng.choice(self.grammar.twists[case.twist])))

    def _maybe(self, rng: Random, chance: float, rule: str, before: str = "", after: str = "") -> str:
        return before + self.grammar.expand_rule(rng, rule) + after if rng.random() < chance else ""

    def _scribble(self, rng: Random, text: str) -> str:
        return noise.add_typing_noise(rng, text, self.language)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?", "…")) else ".")
