using System.Net.Sockets;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Turn.Tests.Running;

/// <summary>A running server with a TLS port and the user <c>u</c>.</summary>
public sealed class TlsServer : IAsyncLifetime
{
    private TurnServerProcess? _server;

    internal TestCertificate Certificate { get; } = new();

    internal TurnServerProcess Server => _server!;

    public async ValueTask InitializeAsync() => _server = await TurnServerProcess.StartAsync(
        [("Turn__StaticUsers__0__Name", "u"), ("Turn__StaticUsers__0__Password", "p"), .. Certificate.Settings]);

    public async ValueTask DisposeAsync()
    {
        if (_server is not null) await _server.DisposeAsync();
        Certificate.Dispose();
    }

    internal static async Task UntilClosedAsync(TcpClient connection, TimeSpan? patience = null)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(patience ?? TimeSpan.FromSeconds(20));
        try
        {
            // An alert may come first.
            while (await connection.GetStream().ReadAsync(new byte[100], limit.Token) > 0)
            {
            }
        }
        catch (IOException)
        {
            // A reset is also an end.
        }
    }
}
