using System.Net.Sockets;
using System.Text;

namespace WebRtcIms.WicWeb.Tests;

/// <summary>Sends a request target exactly as written; HttpClient would tidy it up first.</summary>
internal static class RawHttp
{
    public static async Task<string> GetAsync(Uri server, string target, CancellationToken cancellationToken)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(server.Host, server.Port, cancellationToken);
        await using var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"GET {target} HTTP/1.1\r\nHost: {server.Authority}\r\nConnection: close\r\n\r\n"),
            cancellationToken);
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return await reader.ReadToEndAsync(cancellationToken);
    }
}
