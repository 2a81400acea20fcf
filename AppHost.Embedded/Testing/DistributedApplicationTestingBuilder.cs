using System.Reflection;
using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Testing;

/// <summary>A host's model in the hands of a test, which may change it before it builds and starts it.</summary>
public interface IDistributedApplicationTestingBuilder : IDistributedApplicationBuilder
{
    Task<DistributedApplication> BuildAsync(CancellationToken cancellationToken = default);
}

/// <summary>
/// Runs a host's <c>AppHost.cs</c> up to its <c>Build()</c> and hands the model over. HTTP ports are random, and nothing is
/// written to the console: what resources print is in <see cref="ResourceLoggerService"/>.
/// </summary>
public static class DistributedApplicationTestingBuilder
{
    /// <param name="args">The command line that the host is to see.</param>
    /// <param name="cancellationToken">Ends the wait for the model.</param>
    /// <typeparam name="TEntryPoint">A type of the host's assembly, such as <c>Projects.AppHost</c>.</typeparam>
    public static async Task<IDistributedApplicationTestingBuilder> CreateAsync<TEntryPoint>(
        string[] args, CancellationToken cancellationToken = default)
        where TEntryPoint : class
    {
        var session = new TestingSession(typeof(TEntryPoint).Assembly);
        return await Task.Run(() => session.RunToBuild(args), cancellationToken).WaitAsync(cancellationToken);
    }

    public static Task<IDistributedApplicationTestingBuilder> CreateAsync<TEntryPoint>(CancellationToken cancellationToken = default)
        where TEntryPoint : class => CreateAsync<TEntryPoint>([], cancellationToken);
}

/// <summary>One run of a host's entry point by a test. It flows with the call, so that several are possible at a time.</summary>
internal sealed class TestingSession(Assembly appHost)
{
    private static readonly AsyncLocal<TestingSession?> Ambient = new();

    private DistributedApplicationBuilder? _model;

    public static TestingSession? Current => Ambient.Value;

    public Assembly AppHost { get; } = appHost;

    public DistributedApplicationBuilder RunToBuild(string[] args)
    {
        Ambient.Value = this;
        var entryPoint = AppHost.EntryPoint ?? throw new InvalidOperationException($"{AppHost.GetName().Name} is no program.");
        try
        {
            entryPoint.Invoke(null, BindingFlags.DoNotWrapExceptions, null, entryPoint.GetParameters().Length == 0 ? [] : [args], null);
        }
        catch (ModelIsComplete)
        {
            // The model is what is wanted; what the host does after Build() is the test's to do.
        }

        return _model ?? throw new InvalidOperationException($"{AppHost.GetName().Name} ended without building an application.");
    }

    /// <summary>The host's own Build() goes no further; the test's, later, does.</summary>
    public void HandOver(DistributedApplicationBuilder model)
    {
        if (_model is not null) return;
        _model = model;
        throw new ModelIsComplete();
    }

    private sealed class ModelIsComplete : Exception;
}
