# SPDX-License-Identifier: GPL-2.0-only
# The procfs door. Included by the top Makefile.

KDIR ?= /lib/modules/$(shell uname -r)/build
GUEST_MODULES := $(foreach k,6.1 6.12,$(BUILD)/module/$(k)/checmate.ko)

# Phony, because the kernel may have changed; kernel/module/build knows what is current.
.PHONY: module module-guests $(BUILD)/module/checmate.ko $(GUEST_MODULES)

module: $(BUILD)/module/checmate.ko ## build the /proc/sys door for the running kernel (KDIR= its headers)
$(BUILD)/module/checmate.ko:
	@V=$(V) kernel/module/build "$(KDIR)" "$@"

# Kernels 7.x want a newer compiler and libc than Debian 12 has.
module-guests: $(GUEST_MODULES) ## build the /proc/sys door for the guests' kernels
$(GUEST_MODULES): $(BUILD)/module/%/checmate.ko:
	@kdir=$$(tests/vm/kernel headers "$*") && V=$(V) kernel/module/build "$$kdir" "$@"

DOOR_DRIVER := $(addprefix tests/door/,door-driver.c door-stress.c)
$(BUILD)/tests/door-driver: $(DOOR_DRIVER) tests/door/door-driver.h kernel/module/door.h | $(BUILD)/tests
	$(say) CC $@
	$(Q)$(CC) $(CFLAGS) $(WARN) -pthread -Ikernel/module -o $@ $(DOOR_DRIVER) -lbpf
