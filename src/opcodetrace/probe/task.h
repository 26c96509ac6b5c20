/* asyncio's tasks are lanes of their own inside their thread: while a task makes a step, records bear the lane's number. */

#ifndef OPCODETRACE_TASK_H
#define OPCODETRACE_TASK_H

#include "thread.h"

/* The task whose step a callback of the event loop is; borrowed, or NULL. No Python code runs. */
PyObject *task_of_callback(PyObject *callback);
/* The number of the task's lane, a new one at its first step; UNNUMBERED where there are no more. */
uint32_t task_lane(Thread *thread, PyObject *task);
/* Where the task stands as its step is over: what its coroutine awaits. */
void task_leaves(uint32_t lane, PyObject *task);

#endif
