"""pydantic-ai against a paddock."""

import asyncio
import os

from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider


class City(BaseModel):
    """A city."""

    name: str


URL = os.environ["PADDOCK_URL"]


def openai_model(name: str = "pocket-v0") -> OpenAIChatModel:
    return OpenAIChatModel(name, provider=OpenAIProvider(base_url=f"{URL}/v1", api_key="any"))


async def main() -> None:
    plain = await Agent(openai_model()).run("Hello", model_settings={"max_tokens": 100})
    assert plain.output
    async with Agent(openai_model()).run_stream("Hello", model_settings={"max_tokens": 100}) as stream:
        assert await stream.get_output()
    typed = await Agent(openai_model(), output_type=City).run("What is the weather in Lisbon?")
    assert isinstance(typed.output, City)
    used: list[str] = []
    agent = Agent(openai_model())

    @agent.tool_plain
    def get_weather(city: str) -> str:
        """Weather of a city."""
        used.append(city)
        return f"Sunny in {city}"

    await agent.run("What is the weather in Lisbon?", model_settings={"max_tokens": 200})
    assert used, "the tool was not called"
    try:
        await Agent(openai_model("nope")).run("x")
        raise AssertionError("no error")
    except ModelHTTPError as error:
        if error.status_code != 404:
            raise


asyncio.run(main())
print("done")
