"""Journeys with nothing wrong: the two of the language's introduction, and one of every feature."""
# ruff: noqa: E501 - journeys as people write them

from __future__ import annotations

WELCOME = """\
dsl: 1
journey: welcome
steps:
  - {id: greet, type: call_api, endpoint: messenger, path: /send, body: {to: "{{ user.email }}", template: welcome}}
  - {id: settle, type: wait, for: P2D}
  - id: tips
    type: call_api
    when: not user.onboarded
    endpoint: messenger
    path: /send
    body: {to: "{{ user.email }}", template: tips}
"""

CART_RESCUE = """\
# yaml-language-server: $schema=./journey.schema.json
dsl: 1
journey: cart-rescue
description: Win back carts over 50 EUR
timezone: Europe/Istanbul
entry:
  inputs: {cart_id: text, total: number}
  triggers:
    - event: cart_updated
      where: event.total >= 50
  key: inputs.cart_id
  reentry: {mode: restart, limit: {count: 3, per: P30D}}
  holdout: 5
goals:
  - name: purchased
    event: order_placed
    where: event.cart_id == inputs.cart_id
    within: P14D
steps:
  - {id: settle, type: wait, for: PT45M}
  - id: score
    type: call_api
    endpoint: crm
    path: "/users/{{ user.id }}/score"
    body: {cart: "{{ inputs.cart_id }}", total: "{{ inputs.total }}"}
    outputs: {vars.score: response.body.data.score}
  - id: morning
    type: wait
    until: {time: "09:00", weekdays: [mon, tue, wed, thu, fri]}
  - id: variant
    type: split
    arms:
      - name: reminder
        weight: 50
        steps:
          - {id: remind, type: call_api, endpoint: messenger, path: /send, body: {to: "{{ user.email }}", template: cart}}
      - name: offer
        weight: 50
        steps:
          - {id: coupon, type: call_api, endpoint: loyalty, path: /coupons, body: {user: "{{ user.id }}"}, outputs: {vars.code: response.body.code}}
          - id: offer
            type: call_api
            when: steps.coupon.status == 'succeeded'
            endpoint: messenger
            path: /send
            body: {to: "{{ user.email }}", template: offer, code: "{{ vars.code }}"}
  - id: answer
    type: wait_for
    any:
      - event: cart_mail_clicked
        where: event.cart_id == inputs.cart_id
        next: done
    within: P2D
  - id: high_value
    type: branch
    paths:
      - name: worth_a_call
        when: vars.score >= 80
        steps:
          - {id: ask_agent, type: call_api, endpoint: crm, path: /tasks, body: {user: "{{ user.id }}", kind: phone}}
  - {id: done, type: exit, outcome: reminded}
"""

EVERYTHING = """\
dsl: 1
journey: everything
title: One of each
max_age: P90D
entry:
  inputs: {plan: text, since: date}
  triggers:
    - {event: signed_up, where: "event.plan in ['a', 'b']", inputs: {since: event_time}}
    - {schedule: "0 9 * * mon", timezone: user, audience: user.vip, inputs: {plan: "'c'", since: now}}
    - {audience: user.churning, inputs: {plan: user.plan, since: user.since}}
    - {date: user.birthday, offset: -P7D, time: "10:00", inputs: {plan: user.plan, since: user.birthday}}
  reentry: after_exit
on_enter:
  - {id: hello, type: call_api, endpoint: crm, method: PUT, path: "/users/{{ user.id }}"}
on_exit:
  - id: bye
    type: call_api
    endpoint: crm
    headers: {X-Journey: "{{ enrollment.journey }}"}
    body: {outcome: "{{ enrollment.outcome }}", url: "https://example.com/"}
goals:
  - {name: bought, when: user.orders > 0, exit: false}
exit:
  - {event: deleted}
  - {when: user.unsubscribed or has_event('complained')}
steps:
  - id: ask
    type: call_api
    endpoint: crm
    path: /score
    query: {q: [1, 2], on: yes}
    retry: {attempts: 5, when: [timeout, 429], delay: 1s}
    success: {status: [200, 404]}
    outputs: {vars.score: response.body.score, user.tier: response.body.tier}
    on_failure: {next: later}
  - id: way
    type: branch
    paths:
      - {name: again, when: vars.score < 5 and visits(ask) < 3, next: ask}
      - {name: out, when: "event_count('seen', 'P7D') > 2", next: end}
    otherwise: {steps: [{id: note, type: set, values: {vars.note: "{{ inputs.plan }}", user.seen: true}}]}
  - {id: later, type: wait, until: {date: user.renewal, offset: -P3D, past: continue, missing: {next: end}}}
  - {id: tell, type: emit, event: renewal_near, properties: {note: "{{ vars.note | default(none) }}"}}
  - {id: other, type: start_journey, journey: welcome, inputs: {plan: inputs.plan}}
  - id: answer
    type: wait_for
    any:
      - {event: replied, outputs: {vars.answer: event.text}, steps: [{id: thank, type: exit, outcome: thanked}]}
      - {when: user.tier == 'gold', next: later}
    since: entry
    within: 2d 4h
    otherwise: end
  - {id: end, type: exit}
"""

GOOD = {"welcome": WELCOME, "cart-rescue": CART_RESCUE, "everything": EVERYTHING}
