"""Two handlers of a bot change the data of one user at the same time: each stores its own copy, and one answer is lost.

requires: pyTelegramBotAPI==4.37.1
include: telebot
expect: lost update
at: telebot/storage/base_storage.py:StateDataContext, telebot/storage/memory_storage.py:StateMemoryStorage.save
"""

import time

from telebot import TeleBot, types

COUNT = 200
bot = TeleBot("1234:secret", num_threads=4)
user = types.User(7, False, "Ann")
chat = types.Chat(7, "private")
bot.set_state(user.id, "quiz", chat.id)
bot.add_data(user.id, chat.id, answers=0)


@bot.message_handler(func=lambda message: True)
def answer(message):
    with bot.retrieve_data(message.from_user.id, message.chat.id) as data:
        time.sleep(0.001)  # looks the answer up
        data["answers"] = data["answers"] + 1


bot.process_new_messages(
    [types.Message(number, user, 0, chat, "text", {"text": str(number)}, "") for number in range(COUNT)]
)
while not bot.worker_pool.tasks.empty():
    time.sleep(0.01)
bot.worker_pool.close()
with bot.retrieve_data(user.id, chat.id) as data:
    answers = data["answers"]
print(f"RESULT {COUNT - answers} of {COUNT} answers were lost")
