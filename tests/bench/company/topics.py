"""What people in the pretend company talk about: openers, answers and, written apart from them, questions.

One topic: a name, the values that set one instance apart from another, ways to bring it up, ways to answer, and ways to
ask about it later. An answer seldom repeats the words of the opener, and a question seldom repeats the words of either.
``{v}`` is the value, ``{who}`` who answered, ``{client}`` their company, ``{when}`` a phrase for the time.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Topic:
    """One thing that can be settled in a conversation."""

    name: str
    values: tuple[str, ...]
    openers: tuple[str, ...]
    answers: tuple[str, ...]
    questions: tuple[str, ...]


def _topic(name: str, values: str, openers: str, answers: str, questions: str) -> Topic:
    lines = [tuple(line.strip() for line in block.strip().splitlines()) for block in (openers, answers, questions)]
    return Topic(name, tuple(value.strip() for value in values.split("|")), *lines)


TOPICS = (
    _topic(
        "hourly rate", "85|90|95|105|110|120|75 for the first ten hours|98",
        """What do you charge per hour these days?
        Before we go on, what would an hour of your time cost us?
        Quick one: hourly price for extra work?""",
        """{v}, plus VAT, and I only bill what I log.
        For you it would be {v}.
        We can live with {v} if the log comes with it.
        {v} is where I am this year.""",
        """What price per hour came up with {client}?
        How much is an hour of work for {client}?
        Which hourly figure did {who} mention?""",
    ),
    _topic(
        "retainer", "1,200 a month|950 a month|1,450 a month|2,100 a quarter|800 a month|1,750 a month",
        """Could we move to a fixed monthly arrangement instead of single orders?
        I would rather have a flat amount every month than surprises.
        Shall we put the maintenance on a standing order?""",
        """Fine by me: {v}, cancelled with a month's notice.
        Let's do {v} and see how it goes until summer.
        My finance people signed off on {v}.
        {v}, and unused hours do not roll over.""",
        """What retainer was agreed with {client}?
        How much does {client} pay as a recurring fee?
        What flat fee did {who} settle on?""",
    ),
    _topic(
        "payment terms", "14 days|30 days net|7 days|45 days, sorry|10 days with 2 % off|end of the following month",
        """How soon after we send a bill does it get settled on your side?
        Our accountant asks what your terms are.
        When should I expect the transfer after invoicing?""",
        """We run payments every {v}, that is company policy.
        {v}, no exceptions I am afraid.
        Usually {v}; ring me if it is late.
        I talked to bookkeeping and it is {v}.""",
        """How long does {client} take to pay an invoice?
        What are the payment terms for {client}?
        Within what time does {who} say bills are paid?""",
    ),
    _topic(
        "invoice address", "Harbour Street 4, Hull|PO Box 119, Leeds|Lange Gasse 12, Vienna|Quai 7, Ghent|Mill Lane 30, York|Torgata 9, Oslo",
        """Where do you want the bill sent?
        The last one came back undelivered. Do you have a new postal address?
        Which address goes on the paperwork?""",
        """Please use {v} from now on, attention of accounts.
        {v}. The old office is closed.
        Send it to {v} and nowhere else.""",
        """What is the billing address of {client}?
        To which street do we post things for {client}?
        Where did {who} ask us to send paperwork?""",
    ),
    _topic(
        "purchase order", "PO-4471|PO-0093|4500017788|BX-22-118|PO-7120|ORD/339",
        """Do you need a reference on the bill so that it does not bounce?
        Your portal rejected the upload because a number is missing.
        Is there an order number I should quote?""",
        """Yes, quote {v}, otherwise it lands in a black hole.
        Put {v} in the subject line.
        It is {v}, valid until December.""",
        """Which PO number belongs on invoices to {client}?
        What reference must we quote for {client}?
        What order number did {who} hand over?""",
    ),
    _topic(
        "deposit", "40 percent|a third|half|25 percent|1,000 flat|20 percent",
        """I would need something up front before I block the weeks.
        Is an advance all right with you?
        How about part of it before we begin?""",
        """{v} now and the rest on delivery sounds reasonable.
        We can wire {v} this week.
        The board only allows {v} before work starts.""",
        """How much does {client} pay in advance?
        What down payment was accepted by {client}?
        What share up front did {who} accept?""",
    ),
    _topic(
        "discount", "5 percent|10 percent|three hours free|12 percent on the second site|150 off|8 percent",
        """If we book both parts together, is there any room on the price?
        My boss wants to see a gesture. Can you come down a bit?
        Do charities get a better deal?""",
        """I can do {v}, but only if it is signed this month.
        {v}, and please do not tell the others.
        All right: {v} and a reference from you.""",
        """What reduction was {client} offered?
        Did we give {client} a better price, and how much?
        What rebate was promised in talks with {client}?""",
    ),
    _topic(
        "launch date", "12 May|3 September|the 21st of June|1 October|18 November|the Monday after Easter",
        """When does the new site have to be live?
        What is the hard deadline for going public?
        By which day must everything be switched over?""",
        """{v}, because the press release goes out that morning.
        We have promised {v} to the investors.
        No later than {v}. The fair opens then.
        Let us say {v} and keep two days of slack.""",
        """When is the go-live for {client}?
        Which deadline did {client} give for the website?
        What day did {who} name for the release?""",
    ),
    _topic(
        "meeting time", "Tuesday at 10|Thursday at half past two|Friday at 9 sharp|Wednesday after lunch|Monday at 16:00|every other Tuesday at 11",
        """Shall we find a slot to walk through the drafts together?
        Can we talk next week?
        I would like to show you something on screen. When suits?""",
        """{v} works, I will send the link.
        Could you do {v}? The rest of my week is full.
        {v} please, and half an hour is enough.""",
        """When are we meeting {client} about the drafts?
        Which slot did {who} propose?
        What time was the call with {client} fixed for?""",
    ),
    _topic(
        "holiday", "the first two weeks of August|from 20 December to 6 January|all of July|the week of the 14th|until the end of February|three weeks over Easter",
        """Is anybody in your office over the break?
        Who signs things off while you are away?
        Will you be reachable during the summer?""",
        """I am gone {v}; Piet can approve small things.
        We are closed {v}, and nobody reads mail.
        {v} I shall be on a boat without reception.""",
        """When is {who} away?
        During which period is {client} shut?
        When can nobody at {client} be reached?""",
    ),
    _topic(
        "logo colour", "forest green|a warm red, not the cold one|navy with a white edge|mustard|two greys and nothing else|the turquoise from the van",
        """About the brand mark: which shade do you actually prefer?
        I attached three versions of the emblem in different tints.
        We still have not decided how the sign should look.""",
        """Definitely {v}. My daughter agrees.
        The team voted, it is {v}.
        {v}, and please send the vector file.""",
        """Which colour does {client} want for its logo?
        What shade did {who} pick?
        What tint should the emblem of {client} have?""",
    ),
    _topic(
        "typeface", "Source Serif|anything but Comic Sans, so Inter|IBM Plex|the old Garamond|Work Sans|Fira",
        """The brochure needs lettering that prints well. Any wishes?
        Which font should the body text have?
        We are split over the letters on the cover.""",
        """Go with {v}, we own the licence.
        {v} looks best on our paper.
        I have always liked {v}.""",
        """What font is used for {client}?
        Which typeface did {who} choose?
        What lettering did {client} decide on?""",
    ),
    _topic(
        "hosting", "on our own server in the basement|with Hetzner|at a provider in Iceland|on your machine, as before|with Infomaniak|at the university's data centre",
        """Where will the site live after the move?
        Do you keep the machines or shall I rent something?
        Your contract with the old provider ends soon. And then?""",
        """We want it {v}, for legal reasons.
        {v}. IT insisted.
        It can stay {v}, nobody complained.""",
        """Who hosts the website of {client}?
        Where does {client} want its server?
        On whose machines does the site of {client} run?""",
    ),
    _topic(
        "number of languages", "German and English|English only|French, Dutch and German|Welsh too, it is the law|Norwegian and English|Polish later, not now",
        """In which tongues do your readers need this?
        Do we translate the pages?
        How many versions of the text should I plan for?""",
        """{v}. We have a translator.
        {v}, the rest can use a machine.
        For the start {v}.""",
        """Which languages does the site of {client} need?
        Into what does {client} want its texts translated?
        What did {who} say about translations?""",
    ),
    _topic(
        "print run", "500 copies|2,000 on recycled paper|150, numbered|10,000 for the whole county|80 to begin with|1,200",
        """How many should the printer make?
        The quote depends on the quantity. What shall I tell them?
        Paper prices go up on Monday, so I need a figure.""",
        """{v}, we never use more.
        Make it {v}.
        I counted the mailing list: {v}.""",
        """How many brochures does {client} order?
        What quantity goes to the printer for {client}?
        How large an edition did {who} want?""",
    ),
    _topic(
        "contact change", "Ruth Amsel|Jonas Brandt|Mei Tanaka|Oluwaseun Ade|Greta Nyman|Pavel Horak",
        """Who do I talk to once you are on leave?
        I heard there is somebody new in your department.
        Is accounts still handled by the same person?""",
        """From next month {v} takes over, be kind.
        Please deal with {v} directly.
        {v} has the keys and the budget now.""",
        """Who is the new person to talk to at {client}?
        Who replaces {who}?
        Whom should we contact at {client} from now on?""",
    ),
    _topic(
        "complaint", "the form eats the messages|half the pictures are upside down|the map shows the old shop|it takes nine seconds to load|prices are shown twice|the newsletter went out three times",
        """You sounded cross on the phone. What happened?
        Is everything running smoothly?
        How is it going with the new pages?""",
        """To be honest, {v}, and our customers notice.
        Not great: {v}.
        {v}. Please look at it today.""",
        """What was {client} unhappy about?
        Which fault did {who} report?
        What went wrong on the site of {client}?""",
    ),
    _topic(
        "reason for leaving", "the budget was cut|a nephew does it for free|they merge with another firm|they want everything in one hand|the owner retires|they were promised a faster agency",
        """I am sorry to hear that you do not want to go on. May I ask why?
        Was it something we did?
        What made you decide against the extension?""",
        """It is nothing personal: {v}.
        Between us, {v}.
        Simply this: {v}.""",
        """Why did {client} not extend?
        What was the reason for {client} to end the contract?
        What explanation did {who} give for stopping?""",
    ),
    _topic(
        "preferred channel", "by phone, never by mail|on Signal|through the ticket portal|by letter, really|short mails without attachments|in a video call",
        """How do you like to be reached?
        Shall I keep writing or would you rather talk?
        My messages seem to get lost with you.""",
        """Best {v}.
        {v}, everything else I overlook.
        I only answer {v}.""",
        """How does {who} like to be contacted?
        What is the best way to get hold of {client}?
        Through which channel should we approach {who}?""",
    ),
    _topic(
        "tone", "formal, with titles|first names and jokes are fine|plain words, no English terms|as short as possible|warm, but no exclamation marks|like a newspaper",
        """How should your texts sound?
        Do you address readers formally?
        The first draft felt stiff to me. And to you?""",
        """{v}, please.
        Our people want it {v}.
        We tested it: {v}.""",
        """What style of writing does {client} prefer?
        How should we word things for {client}?
        What did {who} say about how texts should sound?""",
    ),
    _topic(
        "never do", "use the word cheap|mail on a Sunday|mention the old owner|put people's faces online|promise delivery dates|publish without the union's nod",
        """Anything I should steer clear of?
        Are there rules I ought to know before I write for you?
        What would get me into trouble with your board?""",
        """Whatever you do, do not {v}.
        One thing: we do not {v}.
        Please never {v}; we had a court case.""",
        """What must we avoid for {client}?
        What is forbidden when working for {client}?
        Which rule did {who} warn us about?""",
    ),
    _topic(
        "vat number", "GB 123 4567 89|DE 811 907 980|none, they are exempt|BE 0477.472.701|NO 974 760 673 MVA|ATU 62134567",
        """The tax office wants your identification on every cross-border bill.
        Can you give me the number for reverse charge?
        My accountant will not book it without your tax ID.""",
        """Here it is: {v}.
        {v}, freshly checked.
        Our finance team says {v}.""",
        """What is the VAT number of {client}?
        Which tax identification does {client} have?
        What ID did {who} send for the tax office?""",
    ),
    _topic(
        "budget", "5,000 in all|no more than 12,000|3,500 this year and as much next|around 8,000|20,000 if the grant comes|2,800",
        """What can you spend on this?
        Give me a ceiling so that I do not plan castles.
        Is there a figure I should stay under?""",
        """We have {v}, not a penny more.
        The committee set aside {v}.
        Let's plan with {v}.""",
        """What budget does {client} have?
        How much money can {client} spend on the project?
        What ceiling did {who} name?""",
    ),
    _topic(
        "competitor", "Brightwell from Bristol|a student collective|the agency that did their trucks|Nordlys Media|someone cheaper in Porto|the in-house team",
        """Are you talking to anybody else about this?
        Whom are we up against?
        Did you get other quotes?""",
        """There is also {v}, I will be open about that.
        {v} made an offer last week.
        Only {v}, and they are slow.""",
        """Who else is bidding for {client}?
        Against whom do we compete at {client}?
        Which rival did {who} bring up?""",
    ),
    _topic(
        "access codes", "in the safe with Ilse|on the sheet under the router|with the previous agency|at the registrar, account of the owner|in the church office|lost, we must start over",
        """I cannot log in to the domain. Who holds the credentials?
        Where do you keep the passwords for the shop?
        Somebody has to unlock the account for me.""",
        """They are {v}.
        As far as I know {v}.
        {v}. I shall ask.""",
        """Where are the login details of {client} kept?
        How do we get into the account of {client}?
        Where did {who} say the credentials are?""",
    ),
    _topic(
        "photos", "their own photographer, Lena|stock pictures, no people|drawings instead|the ones from the anniversary|black and white only|a drone flight in spring",
        """What shall we use for images?
        The gallery is empty. Any material?
        Do you have pictures with rights cleared?""",
        """We want {v}.
        {v}. Contract is signed.
        Take {v}, that is settled.""",
        """What pictures does {client} want on the pages?
        Which images did {who} decide on?
        Where does the visual material for {client} come from?""",
    ),
    _topic(
        "delivery format", "PDF with crop marks|one big spreadsheet|Word, they edit themselves|printed and bound|a zip with everything|slides for the board",
        """How do you want to get the result?
        In what shape should I hand it in?
        Which file do you need at the end?""",
        """{v}, nothing fancy.
        Best as {v}.
        Our people can only open {v}.""",
        """In which format do we deliver to {client}?
        What kind of file does {client} expect?
        How does {who} want the result handed over?""",
    ),
    _topic(
        "approval chain", "the mayor personally|two of the three partners|the head office in Lyon|her sister|the works council first|nobody, he decides alone",
        """Who must nod before we publish?
        Is your yes enough or does somebody else look at it?
        How do decisions get made in your place?""",
        """It goes to {v}.
        {v}, and that takes a week.
        In our case {v}.""",
        """Who signs off for {client}?
        Whose consent is required at {client}?
        Who has the last word, according to {who}?""",
    ),
    _topic(
        "newsletter rhythm", "once a month, first Thursday|every two weeks|quarterly|only when there is news|weekly in season|twice a year",
        """How often should we write to your subscribers?
        People unsubscribe when it gets too much. What do you think?
        Shall we fix an interval for the mailing?""",
        """{v} is plenty.
        I think {v}.
        {v}, and I approve each.""",
        """How frequently does the newsletter of {client} go out?
        What sending interval does {client} want?
        How often may we mail the subscribers of {client}?""",
    ),
    _topic(
        "late fee", "waived this once|40 flat|5 percent a year|covered by a dinner|split half and half|added to the next one",
        """Your transfer came five weeks late. What about the reminder charge?
        There is still the dunning cost open.
        How do we handle the interest?""",
        """Let us say it is {v}.
        {v}, and sorry again.
        I agreed with my partner: {v}.""",
        """What happened with the reminder charge for {client}?
        How was the interest on the overdue bill of {client} handled?
        What was decided about the dunning cost with {client}?""",
    ),
    _topic(
        "team size", "four people and a dog|twelve, mostly part time|two founders|sixty across three sites|about thirty volunteers|nine since the layoffs",
        """How many of you will work with the tool?
        Tell me a bit about your outfit.
        How big is the crew I train?""",
        """We are {v}.
        {v}, give or take.
        These days {v}.""",
        """How many staff does {client} have?
        How large is the team of {client}?
        What headcount did {who} mention?""",
    ),
    _topic(
        "gift", "a crate of cider|tickets for the opera|a plant for the office|nothing, they may not accept|a handwritten card|honey from the roof",
        """It is your anniversary soon. What would make you happy?
        I want to send something before the holidays.
        How can I say thank you for the reference?""",
        """{v} would be lovely.
        Oh, {v}.
        If you insist: {v}.""",
        """What present suits {client}?
        What would {who} enjoy as a thank-you?
        What should we send {client} before the holidays?""",
    ),
    _topic(
        "guarantee", "six months|until the next release|two years by law|ninety days|as long as the retainer runs|one free round of fixes",
        """And if something breaks after handover?
        How long do you stand behind the work?
        Who pays for repairs later?""",
        """I cover {v}.
        {v}, in writing.
        We would need at least {v}.""",
        """What warranty does {client} get?
        For how long do we fix bugs free of charge for {client}?
        What period of liability was discussed with {client}?""",
    ),
    _topic(
        "analytics", "no tracking at all|Matomo on their server|only server logs|Plausible|the numbers once a quarter on paper|Google, despite my advice",
        """Do you want to know who visits?
        How shall we count visitors?
        Is there a tool for statistics that your lawyer accepts?""",
        """{v}, said the data protection officer.
        {v} will do.
        After some debate: {v}.""",
        """Which statistics tool does {client} use?
        How does {client} measure its visitors?
        What did {who} allow for counting visits?""",
    ),
    _topic(
        "parking", "behind the bakery|garage level 2, code at the desk|none, take the tram|in the yard, ring twice|at the station|on the meadow in dry weather",
        """I am coming by car tomorrow. Where do I leave it?
        How do I find you best?
        Is there a spot for visitors?""",
        """{v}.
        Easiest {v}.
        Try {v}, otherwise call me.""",
        """Where can one leave the car when visiting {client}?
        How do we get to the office of {client}?
        What did {who} say about arriving by car?""",
    ),
    _topic(
        "allergy", "nuts|lactose|nothing with fish|strawberries|gluten|cats, seriously",
        """We order lunch for the workshop. Anything you cannot have?
        Is there something to look out for with the catering?
        What do you eat?""",
        """Please no {v}, I end up in hospital.
        Just {v}, everything else is fine.
        I have to avoid {v}.""",
        """What can {who} not eat?
        Which allergy does {who} have?
        What should the catering for {client} leave out?""",
    ),
    _topic(
        "training", "two mornings in their office|a recorded video|one afternoon online|a manual with pictures|nothing, they know it|four sessions, an hour each",
        """Should I show your people how it works?
        Who explains the system to the staff?
        How do we bring everyone up to speed?""",
        """{v} would do.
        I asked around: {v}.
        Let us have {v}.""",
        """What training does {client} get?
        How are the people at {client} taught to use it?
        What kind of instruction did {who} want?""",
    ),
    _topic(
        "backup", "nightly to Zurich|on a disk in the drawer|weekly, two copies|they do it themselves|hourly while the shop is open|not at all until now",
        """What happens if the machine dies?
        Is there a second copy of all this somewhere?
        Do you keep the data safe?""",
        """It is saved {v}.
        {v}, if I remember correctly.
        At the moment {v}.""",
        """How is the data of {client} secured against loss?
        What safety copies does {client} have?
        What did {who} tell about copies of the data?""",
    ),
    _topic(
        "cancellation", "until the 15th|four weeks before|at any time|only at the end of the year|48 hours before|not once printing began",
        """Up to when can the booking be called off?
        What if you change your mind?
        How late may one withdraw?""",
        """{v}, after that it costs.
        You can do so {v}.
        Our terms say {v}.""",
        """Until when may {client} withdraw?
        What notice applies if {client} backs out?
        What did {who} say about calling it off?""",
    ),
    _topic(
        "domain name", "harbour-choir.example|the-old-mill.example|goodbread.example|north-sea-rowing.example|lindenhof.example|tools4all.example",
        """Under which name shall people find you on the web?
        Is the address registered yet?
        The dot-com is taken. Alternatives?""",
        """We go for {v}.
        {v} was free, I bought it.
        Everyone likes {v}.""",
        """Which domain does {client} use?
        What web address was chosen for {client}?
        What name did {who} register?""",
    ),
)  # fmt: skip

CHANGES = (
    # Said first, then otherwise, then otherwise again: what held when?
    (
        "rate for extra hours",
        ("92 an hour", "99 an hour", "104 an hour", "88 an hour", "115 an hour", "101 an hour"),
        ("For extra hours let us use {v}.", "New year, new price: an extra hour is {v} from now on.", "I have to adjust: extra hours cost {v} as of today."),
        "What do extra hours cost {client} now?",
        "What did extra hours cost {client} at first?",
        "What was the price of extra hours for {client} in {month}?",
    ),
    (
        "day of the weekly call",
        ("on Mondays", "on Wednesdays", "on Fridays", "on Thursdays at noon", "on Tuesdays", "every second Monday"),
        ("Let us have our regular call {v}.", "Could we move the regular call? {v} suits me better.", "The regular call is {v} from next week, the other day never worked."),
        "When is the regular call with {client} these days?",
        "On which day was the regular call with {client} originally?",
        "On which day did we have the regular call with {client} in {month}?",
    ),
    (
        "size of the project",
        ("six pages", "nine pages", "a dozen pages and a shop", "a single landing page", "twenty pages", "three pages and a form"),
        ("So the order is {v}.", "We thought again: it should be {v} instead.", "Final answer, signed by the director: {v}."),
        "How big is the order of {client} now?",
        "What was the first order of {client}?",
        "What scope had {client} ordered in {month}?",
    ),
    (
        "who gets the invoice",
        ("accounts@ in Hull", "Ms Feld personally", "the portal", "the tax adviser", "the parent company", "the shop manager"),
        ("Invoices go to {v}, please.", "Change of plan, bills go to {v} now.", "From today please send all bills to {v}, the others were wrong."),
        "Who receives the invoices of {client} now?",
        "Who received the bills of {client} at first?",
        "Where did invoices for {client} go in {month}?",
    ),
)  # fmt: skip

SMALL_TALK = (
    "Hope you had a good weekend.", "Thanks, got it.", "Sorry for the delay, the week ran away from me.", "Perfect.",
    "Sounds good to me.", "Let me check and come back to you.", "It has been raining for days here.", "One more thing.",
    "Could you repeat that? The line was bad.", "I will put it in writing later.", "Great, talk soon!", "Hm, let me think.",
    "Did you see the match yesterday?", "My train is late again.", "Coffee first.", "I am in the car, so briefly.",
    "Yes, exactly.", "No rush.", "I forwarded it to the others.", "We are really happy with how this goes.",
    "Who is going to the fair this year?", "The office moved, boxes everywhere.", "Greetings from the seaside!",
    "Can you see my screen?", "I had the flu, back now.", "Let me know if anything is unclear.", "That is a relief.",
    "By the way, congratulations on the award.", "I lost the thread. Where were we?", "Fair enough.",
    "The printer called about the paper again.", "Our intern starts on Monday.", "Please find the minutes attached.",
    "I am looking at the invoice from last time.", "The price of paper went up, as you know.", "We spoke about the site.",
    "The director read your draft and smiled.", "My colleague will join the call.", "Is the deadline still all right?",
    "We will discuss the budget on Friday.", "The server was down for a minute last night.", "I paid the last bill today.",
)  # fmt: skip

CLIENTS = (
    ("Acme Rowing Club", ("Dana Whitlock", "Tom Firth")), ("Globex Bakery", ("Ines Moreau", "Karl Lund")),
    ("Initech Tools", ("Priya Nair", "Sven Aalto")), ("Harbour Choir", ("Maud Ellery", "Ben Okafor")),
    ("Lindenhof Clinic", ("Ursula Weiss", "Emil Roth")), ("Northwind Ferries", ("Astrid Berg", "Joao Pires")),
    ("Old Mill Museum", ("Clara Venn", "Hugo Lafitte")), ("Pinewood School", ("Rachel Stone", "Amir Haddad")),
    ("Quayside Law", ("Fiona Grant", "Leo Marsh")), ("Saffron Kitchen", ("Noor Rahman", "Giulia Conti")),
    ("Tern Architects", ("Yuki Mori", "Paul Desmond")), ("Verity Insurance", ("Helen Cho", "Marek Novak")),
)  # fmt: skip

NAMED_ANSWERS = (
    "About the {topic}: {answer}", "As for the {topic}, {answer}", "{topic}? {answer}", "On the {topic} we settled this: {answer}",
    "Regarding {topic}, {answer}", "You asked about the {topic}. {answer}", "I owe you an answer on the {topic}: {answer}",
)  # fmt: skip
NAMED_QUESTIONS = (
    "What was agreed with {client} about the {topic}?", "What about the {topic} for {client}?", "{topic} of {client}?",
    "What did {who} tell us regarding the {topic}?", "Remind me of the {topic} at {client}.",
    "What do we know about {client} and the {topic}?",
)  # fmt: skip
HOUSE_REMARKS = (
    "That is how we do it at {client}.", "{client} has always done it like this.", "At {client} nobody will object.",
    "I speak for all of {client} here.", "So much from {client}.",
)  # fmt: skip

OPERATOR = "Mara Lindqvist"
