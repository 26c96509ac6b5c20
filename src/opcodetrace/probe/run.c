#include "run.h"
#include "text.h"

Run this_run;

void
run_clear(void)
{
    text_forget();
    this_run = (Run){.running_thread = UNNUMBERED, .left = {.lane = UNNUMBERED}};
}
