/* Relays: each thread makes its successor and ends, so that there is always one that is being made and one that ends, and
 * no thread lives through a move but the main one. No runner may be lost, and none may run twice. */
#include "common.h"

#define RELAYS 6

static volatile bool over;
static volatile uint64_t legs[RELAYS];
static volatile int running;
static pthread_attr_t attributes;

static void *leg(void *argument)
{
    uintptr_t relay = (uintptr_t)argument;
    uint64_t mine = legs[relay] + 1;
    check(churn(200) == churn(200), "churn");
    check(legs[relay] + 1 == mine, "two runners in relay %lu", relay);
    legs[relay] = mine;
    pthread_t next;
    if (over) __atomic_sub_fetch(&running, 1, __ATOMIC_SEQ_CST);
    else check(pthread_create(&next, &attributes, leg, argument) == 0, "pthread_create in relay %lu", relay);
    return NULL;
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    running = RELAYS;
    pthread_t first;
    for (uintptr_t i = 0; i < RELAYS; i++)
        check(pthread_create(&first, &attributes, leg, (void *)i) == 0, "pthread_create");
    ready();
    uint64_t before[RELAYS] = { 0 };
    while (working()) {
        burn();
        for (int i = 0; i < RELAYS; i++) {
            for (int wait = 0; legs[i] == before[i] && wait < 20000; wait++) usleep(500);
            check(legs[i] > before[i], "relay %d has stopped after %lu runners", i, legs[i]);
            before[i] = legs[i];
        }
    }
    over = true;
    for (int wait = 0; running > 0 && wait < 20000; wait++) usleep(500);
    check(running == 0, "%d relays did not arrive", running);
    return finish("relays arrive");
}
