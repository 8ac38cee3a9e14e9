"""More ways to say what agents already declare, by intent; an intent that is not in the house is passed over.

An agent's author writes what is special to it; here stands what operators say for the same thing in other words,
kept together so that neighbours ("note" and "remind", "report" and "revenue") can be told apart on one page. Like an
example each is trained on, so none may be anybody's check.
"""

from __future__ import annotations

from collections.abc import Mapping

SAYINGS: Mapping[str, tuple[str, ...]] = {
    "invoice": (
        "the job for Acme is done, bill it, 700", "an invoice to Globex over 2,100 please", "Acme should be billed 90 for the call",
        "write the final invoice for Initech, 4k, due in a week", "Hooli: 6 hours at 110, make the bill", "please prepare the bill for Stark, £300",
        "rechnung an Acme, 900 EUR, 14 Tage",
    ),
    "unpaid": (
        "who is behind with paying", "what is still to come in", "what are we waiting to be paid for", "which clients have not settled",
        "money people owe me", "open balance of Acme", "is Globex late with anything", "did Acme pay", "has Globex paid yet", "did the money from Hooli come in", "how much does Initech owe us",
    ),
    "mark_paid": (
        "Acme wired the 900 today", "money from Globex is in the account", "got the transfer of Initech, 1,200", "Hooli has settled 2026-0004",
        "put down that Stark paid", "we have received 300 USD from Wayne", "the payment of Umbrella is here", "note that Acme has paid",
    ),
    "cancel_invoice": (
        "the bill for Acme is wrong, withdraw it", "void the last bill to Globex", "invoice 2026-0005 has a mistake, cancel it",
        "please credit the whole invoice of Initech", "that invoice was sent twice, reverse one",
    ),
    "remind_debtor": (
        "Acme still has not paid, push them", "Globex owes us money, write them a reminder", "dunning letter for Initech",
        "ask Hooli where our money stays", "press Stark for payment", "tell Wayne that the bill is long overdue",
    ),
    "revenue": (
        "what came in last year", "money earned in May", "how much have we billed in the past quarter", "what did Acme pay us in total this year",
        "our takings this month", "turnover with Globex",
    ),
    "recurring_invoice": (
        "Acme 400 each month, bill it automatically", "from next month on invoice Globex 250 monthly", "set Initech on a quarterly invoice of 900",
        "the same bill to Hooli every month, 120", "yearly billing for Stark, 60", "Wayne pays 80 a week, invoice it every Friday",
    ),
    "refund": (
        "Acme overpaid, give 50 back", "return the money for 2026-0007", "send Globex back what they paid", "pay 30 USD back to Initech",
        "they paid double, refund one of the payments",
    ),
    "payment_link": (
        "a link for Acme so that they can pay 200", "Globex prefers card, send a checkout link", "online payment for 2026-0008",
        "make a way to pay online for Hooli, 75", "link to pay INV-9",
    ),
    "add_client": (
        "a new customer signed: Wonka, willy@wonka.example", "register Tyrell as a customer", "put Cyberdyne into the client list",
        "client to add: Duff, 500 a month", "please enter Soylent as a new client", "open a client file for Vandelay",
    ),
    "who_is": (
        "list of my clients", "all customers please", "which customers do we have", "show the client card of Acme", "phone number of Globex",
        "what do we have on Initech", "address of Hooli please",
    ),
    "update_client": (
        "Acme has a new address, change it", "switch Globex to net 30", "the email of Initech is now pay@initech.example",
        "raise the retainer of Hooli to 900", "correct the contact at Stark", "Wayne is called Wayne Group now, rename them",
    ),
    "send_proposal": (
        "make Acme an offer for the relaunch, 9k", "Globex wants to know a price for the app, send a quote", "offer Initech the audit at 1,400",
        "an estimate for Hooli please", "Angebot an Stark über 2.000 €",
    ),
    "onboard": (
        "get Acme started with the welcome series", "begin onboarding Globex", "send Initech the welcome pack", "Hooli is new, run the onboarding",
        "take Stark through the first steps",
    ),
    "follow_up": (
        "no reply from Acme so far, ask again", "ping Globex about the quote", "get back in contact with Initech", "check whether Hooli read our offer",
        "Stark has gone quiet, follow up", "touch base with Wayne next week",
    ),
    "write_mail": (
        "say to Acme that the draft is late", "drop Globex a line that we start on Monday", "a mail to Initech about the new prices",
        "send a message to Hooli that the parcel left", "tell anna@acme.example thanks", "ask Stark by mail for the missing pictures",
        "note to Wayne: call me back",
    ),
    "remind_me": (
        "nudge me at 6 to lock up", "tell me tomorrow to water the plants", "I must not forget the visa on the 9th", "reminder on Monday: rent",
        "bring up the insurance again in two weeks", "erinnere mich am Freitag an die Miete", "in an hour remind me of the oven",
    ),
    "book_meeting": (
        "invite Acme to a workshop on 5 May at 10", "a demo for Globex on Monday at 2pm", "put lunch with Bob into the calendar for Friday noon",
        "fix an appointment with Initech, Tuesday 9am", "set up a kickoff with Hooli on the 12th at 11", "block an hour for Stark tomorrow at 4",
    ),
    "find_time": (
        "which hours are free on Monday", "is there a gap on Friday", "when would a call with Acme fit", "propose times to meet Globex",
        "do I have room for an hour tomorrow",
    ),
    "move_meeting": (
        "bring the call with Acme forward to Tuesday at 9", "Globex needs another date, make it Friday at 3", "put the demo off until Monday 10am",
        "shift the kickoff with Hooli by a day", "the meeting with Stark an hour later please", "Initech postponed to Wednesday noon",
    ),
    "cancel_meeting": (
        "the demo with Acme does not take place, cancel it", "I cannot come to the call with Globex, call it off", "delete the kickoff from the calendar",
        "no lunch with Bob on Friday, scrap it", "cancel what I have with Initech tomorrow",
    ),
    "agenda": (
        "which appointments do I have on Thursday", "how full is my week", "show the week", "what is planned for Monday",
        "next appointment with Acme", "anything in the calendar this afternoon",
    ),
    "write_post": (
        "an article about fonts please", "something for LinkedIn on the fair", "text for a post about our move", "make a post of this",
        "draft an announcement that we hire nobody",
    ),
    "publish_post": (
        "the article is good, put it up", "bring the post online", "publish version two", "go live with the announcement", "out with the post now",
        "put the story on Bluesky right now",
    ),
    "schedule_post": (
        "the article should appear on Monday at 8", "publish the announcement on Friday at noon", "send the story out tomorrow at 10",
        "queue version two for Sunday", "post the news on the 4th at 9am",
    ),
    "cancel_post": (
        "the post must not go out, remove it from the queue", "take the announcement back", "pull the article from the blog", "delete what I posted yesterday",
        "no post on Monday, cancel it",
    ),
    "post_numbers": (
        "did anyone read the article", "engagement of the month", "how is the announcement doing", "how many views has the story", "numbers of my posts",
        "which article was read most",
    ),
    "look_up": (
        "read about the new law on packaging", "what does the web say about Wonka", "dig into the market for lamps", "find facts on solar panels",
        "which rules apply to small businesses in Italy", "look on the web for printers nearby", "who runs Tyrell, find out",
    ),
    "summarise": (
        "the main points of the thread with Acme", "shorten the feedback to a few bullets", "takeaways from the call", "the essence of this document",
        "what is in this file, briefly", "condense the mails of Globex",
    ),
    "report": (
        "a chart of income by customer", "numbers of the year with a picture", "plot what we earned per month", "analyse the last quarter for me",
        "put the figures of May together", "business review of the half year",
    ),
    "time_saved": (
        "how many drafts did I have to change", "which share of your proposals do I take", "how precise are you", "how often were you right",
        "how much work have you done for me", "what have I gained from you in hours",
    ),
    "triage": (
        "any new complaints", "which customers wrote in", "look through the new inquiries", "sort the questions that came in", "what came into the mailbox of support",
    ),
    "reply_mail": (
        "answer Acme that it is fine", "write back to Globex: agreed", "give the customer with the broken link an answer", "respond politely to Initech",
        "tell the one who complained that we look into it", "reply to Bob's question",
    ),
    "plan_delivery": (
        "cut the work for Acme into phases", "a timeline with milestones for Globex, due 1 June", "project for Hooli: new shop, deadline in May",
        "set dates for the Initech job", "organise the Stark project",
    ),
    "project_status": (
        "is the Acme job on time", "how much of the Globex app is finished", "which milestones are open at Initech", "next deadline of the Hooli project",
        "how far is the brochure", "are any projects behind", "where does the relaunch stand",
    ),
    "make_plan": (
        "how do I get to ten clients, draw up a plan", "work out steps to raise my rates", "Acme said yes to the offer, what comes next, do it",
        "plan a course launch", "a plan for the closing of the year",
    ),
    "remember": (
        "for your information, Acme has moved", "so you know: Bob is the new contact at Globex", "make a note that Hooli wants paper invoices",
        "I charge 110 an hour from now on", "keep this: the alarm code is in the drawer", "important: Wayne never pays in August",
    ),
    "recall_fact": (
        "what was the name of the cafe Bob liked", "who brought us Acme", "how much did we charge Globex the last time", "what did Initech want to change",
        "when did we talk with Hooli", "which promise did I make to Stark",
    ),
    "help": ("I don't know what to write", "what do I type here", "what are you for", "how do I talk to you", "what's possible here"),
    "approvals": ("do you need a decision from me", "what is there for me to decide", "anything to sign", "what hangs on me", "open decisions"),
    "digest": ("how was the night", "daily letter please", "summary of the day", "news from the office", "bring me up to date"),
    "stuck": ("what does not work", "any task that failed", "anything hanging somewhere", "where are problems", "what could not be done"),
    "timeline": ("all events of task 12", "what exactly happened in 9", "history of 30", "the steps of task 8"),
    "why": ("explain task 20", "reason for card 4.1", "what is that amount based on", "why do you ask me this", "explain 12.1"),
    "pause": ("hold back all mails", "stop posting for today", "do nothing for now", "put all on hold", "no more mails until I say so"),
    "home": ("the whole picture", "everything on one page", "how do things look overall", "start page", "take me to the overview"),
    "budget": ("what do you spend on tokens", "how much do you cost", "AI costs so far", "is there budget left for the model", "token bill"),
    "memory": ("what do you know about me", "your notes on Acme", "all preferences you know", "which rules do you follow from me", "list your notes"),
}  # fmt: skip
