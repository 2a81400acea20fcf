using WebRtcIms.Interop.Tests;
using WebRtcIms.Tests.Common;

[assembly: AssemblyFixture(typeof(TurnServers))]

namespace WebRtcIms.Interop.Tests;

/// <summary>This project's server on each of its back ends, with coturn's test keys; started by the first test that asks.</summary>
public sealed class TurnServers : IAsyncDisposable
{
    private readonly SemaphoreSlim _starting = new(1, 1);
    private readonly Dictionary<string, TurnServerProcess> _servers = [];
    private readonly TestCertificate _certificate = new();

    public async Task<TurnServerProcess> WithAsync(string transport)
    {
        await _starting.WaitAsync();
        try
        {
            if (_servers.TryGetValue(transport, out var server)) return server;

            // Debian's client binds channels up to 0x7FFF, as RFC 5766 had them, and asks for two families by the number of the drafts.
            return _servers[transport] = await TurnServerProcess.StartAsync(
            [
                .. CoturnKeys.Settings,
                .. _certificate.Settings,
                ("Turn__Transport", transport),
                ("Turn__Workers", "2"),
                ("Turn__ListenAddress", "127.0.0.1,::1"),
                ("Turn__Rfc5766Channels", "true"),
                ("Turn__DraftAddressFamily", "true"),
                ("Turn__Mobility", "true"),
                ("Turn__TcpRelays", "true"),

                // Forty allocations of one user are one run of the client.
                ("Turn__Quotas__PerUser", "1000"),
                ("Turn__Quotas__PerToken", "1000"),
            ]);
        }
        finally
        {
            _starting.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var server in _servers.Values) await server.DisposeAsync();
        _certificate.Dispose();
        _starting.Dispose();
    }
}
