/** What an installation keeps on the rescue system while it runs. */
export const runDirectory = "/run/metalcast";
