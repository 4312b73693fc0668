/** The domain below which the gateway's buckets are hosts. It takes the host of any other domain for a bucket's name. */
export const cephDomain = "localhost";

/** A Ceph of one monitor and one storage daemon, without authentication between them, tuned to be up in two seconds. */
export function cephConfiguration(ceph: {
  root: string;
  directory: string;
  cluster: string;
  monitorPort: number;
}): string {
  const { root, directory, cluster, monitorPort } = ceph;
  const libraries = `${root}/usr/lib/x86_64-linux-gnu`;
  return `[global]
fsid = ${cluster}
mon_host = v2:127.0.0.1:${monitorPort}
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
ms_mon_client_mode = crc
plugin_dir = ${libraries}/ceph
erasure_code_dir = ${libraries}/ceph/erasure-code
osd_class_dir = ${libraries}/rados-classes
run_dir = ${directory}
admin_socket = ${directory}/$name.asok
log_file = ${directory}/log/$name.log
pid_file = ${directory}/$name.pid
crash_dir = ${directory}/log
mon_data = ${directory}/monitor
mon_cluster_log_to_file = false
mon_data_avail_crit = 1
mon_allow_pool_size_one = true
paxos_propose_interval = 0.05
paxos_min_wait = 0.02
osd_data = ${directory}/osd
osd_objectstore = memstore
memstore_device_bytes = 8589934592
osd_op_queue = wpq
osd_crush_chooseleaf_type = 0
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pg_autoscale_mode = off
rgw_data = ${directory}/gateway
rgw_dns_name = ${cephDomain}
rgw_rados_pool_pg_num_min = 4
rgw_override_bucket_index_max_shards = 1
rgw_gc_obj_min_wait = 5
rgw_gc_processor_period = 5
`;
}
