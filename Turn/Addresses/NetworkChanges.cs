using System.Net.NetworkInformation;

namespace WebRtcIms.Turn.Addresses;

/// <summary>The notifications of .NET, on systems without one of their own here.</summary>
internal sealed class NetworkChanges : IAddressChanges, IDisposable
{
    private readonly SemaphoreSlim _changed = new(0, 1);

    public NetworkChanges() => NetworkChange.NetworkAddressChanged += Changed;

    public Task WaitAsync(CancellationToken cancel) => _changed.WaitAsync(cancel);

    public void Dispose() => NetworkChange.NetworkAddressChanged -= Changed;

    private void Changed(object? sender, EventArgs change)
    {
        lock (_changed)
        {
            if (_changed.CurrentCount == 0) _changed.Release();
        }
    }
}
