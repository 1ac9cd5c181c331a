"""HTTP: a prompt → what a model on a server writes, in OpenAI's shape. Sends nothing before the first prompt.

The server is the one that the model's name says, and no other. Neither a temperature nor a limit of tokens is sent: models that
think first refuse the one and spend the other on their thoughts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ..core.content import storable
from ..core.errors import BadReply, ConfigError, MissingKey, ModelNotFound, ProviderError, RateLimited, Refused
from ..core.http import Server
from ..core.llm import Completion
from .answers import answer
from .providers import resolve

if TYPE_CHECKING:
    from ..core.http import Patience

_MODEL = re.compile(r"\bmodel\b", re.IGNORECASE)
_SPENT = ("insufficient_quota", "billing_hard_limit_reached", "insufficient_balance")


class HTTPModel:
    """A language model on a server.

    Parameters
    ----------
    name : `openai:gpt-5-mini`, `ollama:qwen3`, …, or an address and a model, `http://gpu-box:8000/v1#qwen3`
    patience : how long to wait for the server; by default as `$COSIMO_HTTP_TIMEOUT` and `$COSIMO_HTTP_PATIENCE` say

    Raises
    ------
    ModelNotFound : no such provider, or no model in the name
    MissingKey : the provider wants a key, and none is set
    ConfigError : an address or a key that cannot be used
    """

    def __init__(self, name: str, *, patience: Patience | None = None) -> None:
        self._name = name
        self._endpoint = endpoint = resolve(name)
        self._server = Server(
            endpoint.origin, headers=endpoint.headers, secret=endpoint.key, patience=patience, hopeless=_is_spent
        )

    @property
    def name(self) -> str:
        """The model's name as it was given."""
        return self._name

    def complete(self, prompt: str, *, system: str = "") -> Completion:
        """What the model writes; thoughts in front of its answer are left out.

        Parameters
        ----------
        system : what it is to do, where that is not part of the prompt

        Raises
        ------
        MissingKey, ModelNotFound, RateLimited, Timeout, BadReply, ProviderError : what the server did, in one sentence
        """
        messages = [{"role": "system", "content": storable(system)}] if system else []
        messages.append({"role": "user", "content": storable(prompt)})
        body = {"model": self._endpoint.model, "messages": messages, "stream": False}
        try:
            reply = self._server.post(self._endpoint.path, body)
        except Refused as refused:
            raise self._explained(refused) from refused
        return self._read(reply)

    def close(self) -> None:
        """Let go of the connections; the next prompt opens new ones."""
        self._server.close()

    def _read(self, reply: Any) -> Completion:
        try:
            text = answer(_text(reply["choices"][0]["message"]["content"]))
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise BadReply(f"{self._server.name} answers in another shape than a chat should: no text in it") from error
        if not text:
            raise BadReply(f"'{self._endpoint.model}' at {self._server.name} wrote nothing; try again, or another model")
        usage = reply.get("usage")
        return Completion(text, _count(usage, "prompt_tokens"), _count(usage, "completion_tokens"))

    def _explained(self, refused: Refused) -> ProviderError | ConfigError:
        """A refusal as the error that says what to do."""
        endpoint, host = self._endpoint, self._server.name
        said = f" ({refused.said})" if refused.said else ""
        if refused.status == 401 or (refused.status == 403 and "key" in refused.said.lower()):
            what = "refuses the key" if endpoint.key else "wants a key, and none is set"
            return MissingKey(f"{host} {what}{said}; run: cosimo keys set {endpoint.key_name}")
        if _is_spent(refused):
            return RateLimited(f"the account's quota at {host} is used up{said}; look at your plan there")
        if refused.status in (400, 404, 422) and _MODEL.search(f"{refused.said} {refused.code.replace('_', ' ')}"):
            return ModelNotFound(f"{host} does not serve '{endpoint.model}' for this{said}; look up its name there")
        if refused.status in (404, 405):
            where = f"{endpoint.origin}{endpoint.path}"
            return ConfigError(f"there is nothing at {where} ({refused.status}); check the address, which often ends in /v1")
        return refused


def _text(content: Any) -> str:
    """The text of a message: one string, or a list of parts."""
    if isinstance(content, list):
        return "".join(part.get("text") or "" for part in content if part.get("type", "text") == "text")
    if content is None:
        return ""
    if not isinstance(content, str):
        raise TypeError(type(content).__name__)
    return content


def _count(usage: Any, name: str) -> int | None:
    value = usage.get(name) if isinstance(usage, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _is_spent(refused: Refused) -> bool:
    """True where the account has nothing left to spend: asking again is of no use."""
    return refused.status == 402 or refused.code in _SPENT
