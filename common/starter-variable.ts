/** In the environment of every program that `run` starts: who started it, by process number. */
export const starterVariable = "METALCAST_PID";
