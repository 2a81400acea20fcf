namespace WebRtcIms.Turn.Transport.Relays;

/// <summary>
/// Whether the heap has room for more clients. A process without memory ends, and all calls with it. So the last part is left to those that
/// exist.
/// </summary>
internal static class ProcessMemory
{
    private const double MostForClients = 0.75;

    /// <summary>
    /// As the last garbage collection found it; near the end there are many. The limit is that of the process
    /// (<c>DOTNET_GCHeapHardLimit</c>), three quarters of that of its container, or the memory of the machine.
    /// </summary>
    public static bool IsLow
    {
        get
        {
            var last = GC.GetGCMemoryInfo(GCKind.Any);
            return IsLowFor(last.HeapSizeBytes, last.TotalAvailableMemoryBytes);
        }
    }

    internal static bool IsLowFor(long used, long available) => available > 0 && used > available * MostForClients;
}
