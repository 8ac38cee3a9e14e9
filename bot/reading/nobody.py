"""What people say to a bot that nobody here does: chatter, the world, and skills that a back office might have and
this one has not. The classifier learns from these what it must not take for an order."""

from __future__ import annotations

NOBODYS: tuple[str, ...] = (
    # the world
    "what's the weather tomorrow", "will it rain in Berlin this weekend", "who won the match last night",
    "tell me a joke", "sing a song", "what is the capital of Peru", "how tall is mount everest", "translate hello to French",
    "how do I cook rice", "recommend a good film", "what's the meaning of life", "play some jazz", "turn off the lights",
    "set the thermostat to 21", "call me a taxi", "order a pizza", "book a flight to Rome", "find a hotel in Vienna",
    "what time is it in Tokyo", "how many calories are in an apple", "roll a dice", "flip a coin", "count to ten",
    "what's 17 times 23", "convert 5 miles to kilometres", "how is the stock market doing", "price of bitcoin",
    "who is the president of France", "are you human", "what's your name", "how old are you", "do you like me",
    "I love you", "you are useless", "that was stupid", "haha nice", "lol", "thanks a lot", "good night", "how are you",
    "asdfgh", "test test", "blah blah", "never mind", "hmm", "interesting", "I am bored", "my back hurts",
    "what should I have for dinner", "write me a poem about the sea", "when is the next full moon", "open the garage door",
    "set an alarm for 6", "find my phone", "restaurants near me", "how do I get to the airport", "news about football",
    "what's the best programming language", "explain relativity to me", "draw me a cat", "buy milk", "wish my mom happy birthday",
    "is there traffic on the way home", "spell necessary", "what's trending on Netflix", "start a timer for ten minutes",
    # skills of a back office that nobody here has
    "file my tax return", "pay the electricity bill", "transfer 500 euros to my landlord", "run payroll for March",
    "hire a designer for me", "open a bank account", "change my password", "print this document", "scan the receipt",
    "order new business cards", "renew the domain", "deploy the website", "restart the server", "fix the bug in the app",
    "delete the production database", "register a trademark", "negotiate a loan with the bank", "buy 10 shares of Apple",
    "sign the contract for me", "call Acme on the phone", "send a fax to the tax office", "text Bob on WhatsApp",
    "book a train to Hamburg", "reserve a table for four", "make a logo for Globex", "edit the video", "record a podcast",
    "translate the contract into German", "calculate my income tax", "submit the VAT return", "apply for a grant",
    "pay Initech's bill from us", "wire 2,000 to the supplier", "cancel my phone contract", "insure my laptop",
    "update the firmware", "back up my photos", "install Windows", "create a slack channel", "add a user to the server",
    "run the ads on Google", "raise the ad budget to 50", "upload the video to YouTube", "order more paper",
    "track the parcel from DHL", "ship the goods to Globex", "check the stock of blue shirts", "log my hours for today",
    "start the time tracker", "how many hours did I work this week", "write the code for the login page",
    "review this pull request", "merge the branch", "sue Acme", "write my CV", "find me a new job", "fire Bob",
    "lower the rent", "get me a mortgage", "sell my car", "file a complaint against the airline", "claim the insurance",
    "change the lock of the office", "water the plants", "clean the kitchen", "pick up the kids",
    # said, not asked
    "I already sent the invoice to Acme", "we used to work with Globex", "the meeting went well",
    "Acme is a great client", "I might write a post some day", "Bob told me about the project", "invoices are boring",
    "I was thinking about raising my prices", "Initech is moving to a new office", "the proposal was fun to write",
    "I should call my mother", "that client is so slow", "my calendar is a mess", "Globex signed with somebody else",
    "I hate reminders", "yesterday was a long day", "nobody reads my posts anyway",
)  # fmt: skip
