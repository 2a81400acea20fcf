using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Aspire.Hosting.Publishing;
using Microsoft.Extensions.Configuration;

namespace WebRtcIms.AppHost;

/// <summary>What the model reads from the configuration besides parameters: ports, and <c>data-directory</c>.</summary>
internal static class Settings
{
    /// <summary>The setting <c>{resource}-port</c>; without it the usual one, and in tests, several of which may run at a time, any free one.</summary>
    public static int Port(this IDistributedApplicationBuilder builder, string resource, int usual, string address)
    {
        var text = builder.Configuration[$"{resource}-port"];
        if (string.IsNullOrWhiteSpace(text)) return builder.Configuration.GetValue<bool>("DcpPublisher:RandomizePorts") ? FreePort(IPAddress.Parse(address)) : usual;
        if (int.TryParse(text, out var port) && port is > 0 and <= ushort.MaxValue) return port;
        throw new DistributedApplicationException($"{resource}-port must be a port from 1 to 65535; it is '{text}'.");
    }

    /// <summary>A connection string for a file in <c>data-directory</c>, by default the folder <c>.data</c> beside this file.</summary>
    public static string SqliteDatabase(this IDistributedApplicationBuilder builder, string name)
    {
        var folder = Path.GetFullPath(builder.Configuration["data-directory"] ?? ".data", builder.AppHostDirectory);
        Directory.CreateDirectory(folder);
        return "Data Source=" + Path.Combine(folder, name + ".db");
    }

    // Free for UDP and for TCP.
    private static int FreePort(IPAddress address)
    {
        while (true)
        {
            using var tcp = new TcpListener(address, 0);
            tcp.Start();
            var endpoint = (IPEndPoint)tcp.LocalEndpoint;
            using var udp = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            try
            {
                udp.Bind(endpoint);
                return endpoint.Port;
            }
            catch (SocketException)
            {
                // Taken for UDP: try the next one.
            }
        }
    }
}

/// <summary>256 random bits in base64.</summary>
internal sealed class RandomKey : ParameterDefault
{
    public override string GetDefaultValue() => Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));

    public override void WriteToManifest(ManifestPublishingContext context) =>
        throw new NotSupportedException("A manifest cannot describe how to make a key; give one as Parameters:turn-key.");
}
