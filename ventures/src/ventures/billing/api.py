"""What other rooms may use of billing."""

from ventures.billing.cached import CachedAllowances
from ventures.billing.payments import Outcome, PaymentPort, PracticePayments
from ventures.billing.plans import METRICS, MONTHLY, PLANS, Allowance, Metric, Plan, require_room
from ventures.billing.ports import BillingPort, Checkout, Subscription
from ventures.billing.postgres import PostgresBilling
from ventures.billing.usage import apply_usage, limit, limits, sweep, ventures_limit

__all__ = [
    "METRICS",
    "MONTHLY",
    "PLANS",
    "Allowance",
    "BillingPort",
    "CachedAllowances",
    "Checkout",
    "Metric",
    "Outcome",
    "PaymentPort",
    "Plan",
    "PostgresBilling",
    "PracticePayments",
    "Subscription",
    "apply_usage",
    "limit",
    "limits",
    "require_room",
    "sweep",
    "ventures_limit",
]
