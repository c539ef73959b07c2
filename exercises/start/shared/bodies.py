"""What clients may ask for: one model per body, strict, no unknown fields."""

from datetime import date, timedelta
from typing import Annotated, Literal, Self, TypeVar

from flask import request
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from .problems import Problem

BIGGEST_ID = 2**63 - 1
LONGEST_PERIOD = timedelta(days=366)
EVENT_TYPES = ("invoice.updated", "invoice.paid", "invoice.voided", "invoice.reminder")


class Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


class Report(Body):
    """The period holds both days."""

    format: Literal["csv", "pdf"]
    first: Annotated[date, Field(alias="from")]
    last: Annotated[date, Field(alias="to")]

    @model_validator(mode="after")
    def _a_period(self) -> Self:
        if self.last < self.first:
            raise ValueError("'to' is before 'from'")
        if self.last - self.first >= LONGEST_PERIOD:
            raise ValueError(f"the period is longer than {LONGEST_PERIOD.days} days")
        return self


class Webhook(Body):
    type: Literal["invoice.updated", "invoice.paid", "invoice.voided", "invoice.reminder"] = "invoice.updated"


class InvoiceChange(Body):
    status: Literal["draft", "open", "paid", "void"]


class Email(Body):
    """Nothing to say: the invoice knows its customer."""


class Noop(Body):
    """Nothing to say."""


class SignIn(Body):
    token: Annotated[str, Field(min_length=1, max_length=512)]


class Payout(Body):
    account_id: Annotated[int, Field(ge=1, le=BIGGEST_ID)]
    amount_cents: Annotated[int, Field(ge=1, le=100_000_000_00)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    # Part of the natural key, where a colon separates.
    reference: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


B = TypeVar("B", bound=Body)


def read(model: type[B]) -> B:
    """The request's body. An empty one is `{}`, which suits models that require nothing.

    Raises Problem 400 (not JSON), 415 (another media type), 422 (JSON, but not this), and werkzeug's 413.
    """
    raw = request.get_data(cache=False)
    if raw and request.mimetype != "application/json":
        raise Problem(
            415,
            "The body has to be JSON: send Content-Type: application/json.",
            headers={"Accept": "application/json"},
        )
    try:
        return model.model_validate_json(raw or b"{}")
    except ValidationError as error:
        raise _problem(error) from None


def _problem(error: ValidationError) -> Problem:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    if found[0]["type"] == "json_invalid":
        return Problem(400, f"The body is not JSON: {found[0]['msg']}.", "malformed-json")
    errors = [
        {
            "pointer": "".join(f"/{part}" for part in each["loc"]) or "",
            "detail": each["msg"].removeprefix("Value error, "),
        }
        for each in found
    ]
    return Problem(
        422,
        "The body doesn't fit this request; `errors` names each field.",
        "validation",
        title="Invalid body",
        errors=errors,
    )
