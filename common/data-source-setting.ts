/**
 * What the installer writes into every target, so that cloud-init looks for its config drive and nowhere else. It
 * replaces the lists of the files that sort before it, and gives way to those that sort after it.
 */
export const dataSourceSetting = {
  /** Inside the target. */
  path: "etc/cloud/cloud.cfg.d/90-metalcast.cfg",
  content: "datasource_list: [ConfigDrive, None]\n",
};
