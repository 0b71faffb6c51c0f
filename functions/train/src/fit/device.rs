//! Where tensors live while a network learns: chosen here, once, when the program is built.

use burn::prelude::Device;

/// The CPU, by burn's own kernels: the default, and the one on which the same seed gives the same bytes.
///
/// Built with the feature `cuda`, the first GPU of NVIDIA's; with `wgpu`, the GPU that Vulkan, Metal or DirectX offer first
/// (burn reads `CUBECL_WGPU_DEFAULT_DEVICE` for another). A GPU adds up in an order of its own, so the bytes of a fit are then those of
/// that GPU; what serves runs on the CPU in any case.
pub(super) fn device() -> Device {
    #[cfg(feature = "cuda")]
    return Device::cuda(burn::prelude::DeviceIndex::Default);
    #[cfg(all(feature = "wgpu", not(feature = "cuda")))]
    return Device::wgpu(burn::prelude::DeviceKind::DefaultDevice);
    #[cfg(not(any(feature = "cuda", feature = "wgpu")))]
    Device::flex()
}
