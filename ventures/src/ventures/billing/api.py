"""What other rooms may use of billing."""

from ventures.billing.cached import CachedAllowances
from ventures.billing.payments import NoPayments, Outcome, PaymentPort, PracticePayments
from ventures.billing.plans import FREE, METRICS, MONTHLY, PLANS, SCALE, Allowance, Metric, Plan, require_room
from ventures.billing.ports import BillingPort, Checkout, Subscription
from ventures.billing.postgres import PostgresBilling
from ventures.billing.usage import apply_usage, limit, limits, sweep, ventures_limit

__all__ = [
    "FREE",
    "METRICS",
    "MONTHLY",
    "PLANS",
    "SCALE",
    "Allowance",
    "BillingPort",
    "CachedAllowances",
    "Checkout",
    "Metric",
    "NoPayments",
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
