using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace WebRtcIms.ServiceDefaults.Admission;

/// <summary>
/// Opens the TCP ports of Kestrel, each with the admission that the service chooses for it. A connection has its
/// <see cref="AdmittedConnection"/> as a feature.
/// </summary>
public sealed class AdmittedListeners : IConnectionListenerFactory, IConnectionListenerFactorySelector, IDisposable
{
    private const int Backlog = 512;

    private readonly ConcurrentDictionary<ConnectionAdmission, SemaphoreSlim> _open = [];
    private readonly Func<IPEndPoint, ConnectionAdmission> _admissionOf;
    private readonly Func<IPEndPoint, Socket?> _bind;
    private readonly SocketConnectionContextFactory _connections;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;

    private AdmittedListeners(
        Func<IPEndPoint, ConnectionAdmission> admissionOf, Func<IPEndPoint, Socket?> bind, TimeProvider time,
        ILogger<AdmittedListeners> logger)
    {
        (_admissionOf, _bind, _time, _logger) = (admissionOf, bind, time, logger);
        _connections = new SocketConnectionContextFactory(new SocketConnectionFactoryOptions(), logger);
    }

    /// <summary>Replaces Kestrel's own sockets.</summary>
    /// <param name="services">The services of the application.</param>
    /// <param name="admissionOf">The admission of a port.</param>
    /// <param name="bind">Binds the socket of an endpoint; null for one as Kestrel binds it.</param>
    public static void AddTo(
        IServiceCollection services, Func<IServiceProvider, IPEndPoint, ConnectionAdmission> admissionOf,
        Func<IPEndPoint, Socket?>? bind = null) =>
        services.AddSingleton<IConnectionListenerFactory>(provider => new AdmittedListeners(
            endpoint => admissionOf(provider, endpoint), bind ?? (_ => null), provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<AdmittedListeners>>()));

    public bool CanBind(EndPoint endpoint) => endpoint is IPEndPoint;

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        var admission = _admissionOf((IPEndPoint)endpoint);
        var open = _open.GetOrAdd(admission, _ => new SemaphoreSlim(admission.MostOpen));
        var socket = Bind((IPEndPoint)endpoint);
        return new(new AdmittedListener(socket, admission, open, _connections, _time, _logger));
    }

    public void Dispose() => _connections.Dispose();

    private Socket Bind(IPEndPoint endpoint)
    {
        try
        {
            var socket = _bind(endpoint) ?? SocketTransportOptions.CreateDefaultBoundListenSocket(endpoint);
            socket.Listen(Backlog);
            return socket;
        }
        catch (SocketException error) when (error.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            throw new AddressInUseException(error.Message, error);
        }
    }
}
