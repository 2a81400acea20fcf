using System.Net.Security;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.ServiceDefaults.Tests.Certificates;

/// <summary>The https endpoints of a service have the same certificates as TURN: layouts, chains and renewals.</summary>
public sealed class KestrelCertificateTests : IDisposable
{
    private readonly CertificateChain _chain = new();
    private readonly FakeTimeProvider _time = new(TimeProvider.System.GetUtcNow());

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _chain.Dispose();

    [Theory]
    [InlineData("--urls=https://127.0.0.1:0", "Kestrel:Certificates:Default")]
    [InlineData("--Kestrel:Endpoints:A:Url=https://127.0.0.1:0", "Kestrel:Certificates:Default")]
    [InlineData("--Kestrel:Endpoints:A:Url=https://127.0.0.1:0", "Kestrel:Endpoints:A:Certificate")]
    public async Task CertificateOfASetting_IsSentWithItsChain_AndRenewed(string endpoint, string setting)
    {
        // Kestrel itself would take the first certificate for the server's own.
        var file = _chain.Write("one.pem", _chain.IntermediatesPem + _chain.LeafPem + _chain.Key);
        var started = new TaskCompletionSource<WebApplication>(TaskCreationOptions.RunContinuationsAsynchronously);
        var running = ServiceHost.RunAsync(
            "Part", ["--environment=Development", endpoint, $"--{setting}:Path={file}"],
            builder =>
            {
                builder.Logging.ClearProviders();
                builder.Services.AddSingleton<TimeProvider>(_time);
                builder.Services.Configure<HttpsConnectionAdapterOptions>(
                    https => https.ClientCertificateMode = ClientCertificateMode.NoCertificate);
            },
            app => app.Lifetime.ApplicationStarted.Register(() => started.SetResult(app)));
        Assert.Same(started.Task, await Task.WhenAny(started.Task, running));
        var app = await started.Task;
        try
        {
            var port = new Uri(app.Urls.Single()).Port;
            Assert.Equal(Expected(), await SentAsync(port));

            _chain.Renew(isRsa: true);
            _chain.Write("one.pem", _chain.LeafPem + _chain.Key + _chain.IntermediatesPem);
            _time.Advance(TimeSpan.FromSeconds(2));
            _time.Advance(TimeSpan.FromSeconds(2));
            Assert.Equal(Expected(), await SentAsync(port));
        }
        finally
        {
            app.Lifetime.StopApplication();
            Assert.Equal(0, await running);
        }
    }

    private IEnumerable<string> Expected() => [_chain.Leaf.Thumbprint, .. _chain.Intermediates.Select(authority => authority.Thumbprint)];

    private static async Task<List<string>> SentAsync(int port)
    {
        List<string> sent = [];
        using var connection = new TcpClient();
        await connection.ConnectAsync("127.0.0.1", port, Cancel);
        await using var tls = new SslStream(connection.GetStream(), leaveInnerStreamOpen: false, (_, leaf, chain, _) =>
        {
            var own = leaf!.GetCertHashString();
            sent.AddRange([own, .. chain!.ChainPolicy.ExtraStore.Select(other => other.Thumbprint).Where(hash => hash != own)]);
            return true;
        });
        await tls.AuthenticateAsClientAsync("localhost");
        return sent;
    }
}
