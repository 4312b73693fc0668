# Real SCSI disks /dev/sda, sdb, ... from files of the host, by the kernel's own SCSI target (User Mode Linux's own disks have names that
# GRUB misreads). lab_disks holds words FILE:SERIAL:SECTORBYTES separated by commas.
modprobe -a sd_mod configfs target_core_mod target_core_file tcm_loop
mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config
target=/sys/kernel/config/target
portal=$target/loopback/naa.6001405000000001/tpgt_1
mkdir -p "$portal"
echo naa.6001405000000002 >"$portal/nexus"
number=0
for disk in ${lab_disks//,/ }; do
  IFS=: read -r file serial sector <<<"/run/disks$disk"
  backend=$target/core/fileio_$number/disk
  mkdir -p "$backend"
  echo QEMU >"$backend/wwn/vendor_id"
  echo "QEMU HARDDISK" >"$backend/wwn/product_id"
  echo "fd_dev_name=$file,fd_dev_size=$(stat -c %s "$file"),fd_buffered_io=1" >"$backend/control"
  echo 1 >"$backend/enable"
  echo "$sector" >"$backend/attrib/block_size"
  echo "$serial" >"$backend/wwn/vpd_unit_serial"
  mkdir -p "$portal/lun/lun_$number"
  ln -s "$backend" "$portal/lun/lun_$number/disk"
  number=$((number + 1))
done
