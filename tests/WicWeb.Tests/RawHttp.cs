using System.Net.Sockets;
using System.Text;

namespace WebRtcIms.WicWeb.Tests;

/// <summary>Sends a request target exactly as written; HttpClient would tidy it up first.</summary>
internal static class RawHttp
{
    public static Task<string> GetAsync(Uri server, string target, CancellationToken cancellationToken) =>
        SendAsync(server, $"GET {target} HTTP/1.1\r\nHost: {server.Authority}\r\nConnection: close\r\n\r\n", cancellationToken);

    /// <summary>Sends octets, after which the client may close its side, and reads until the server closes.</summary>
    public static async Task<string> SendAsync(Uri server, string octets, CancellationToken cancellationToken, bool ends = false)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(server.Host, server.Port, cancellationToken);
        await using var stream = client.GetStream();
        await stream.WriteAsync(Encoding.UTF8.GetBytes(octets), cancellationToken);
        if (ends) client.Client.Shutdown(SocketShutdown.Send);
        using var answer = new MemoryStream();
        try
        {
            await stream.CopyToAsync(answer, cancellationToken);
        }
        catch (IOException) when (ends)
        {
            // The server may reset a connection whose client has closed its side.
        }

        return Encoding.UTF8.GetString(answer.ToArray());
    }
}
