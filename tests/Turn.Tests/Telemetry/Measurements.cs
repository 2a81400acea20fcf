using System.Diagnostics.Metrics;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Turn.Tests.Telemetry;

/// <summary>All measurements of the instruments of one factory.</summary>
internal sealed class Measurements : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly List<(string Name, string Tags, double Value)> _all = [];

    public Measurements(IMeterFactory factory)
    {
        _listener.ListenTo(factory);
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.Start();
    }

    /// <summary>The sum of the measurements of an instrument, for one set of tags.</summary>
    public double Sum(string name, string tags)
    {
        lock (_all)
            return _all.Where(measurement => measurement.Name == name && measurement.Tags == tags).Sum(measurement => measurement.Value);
    }

    /// <summary>The tags and values of the measurements of an instrument, in order.</summary>
    public List<(string Tags, double Value)> Of(string name)
    {
        lock (_all)
            return [.. _all.Where(measurement => measurement.Name == name).Select(measurement => (measurement.Tags, measurement.Value))];
    }

    /// <summary>The present value of an observable instrument.</summary>
    public double Read(string name, string tags)
    {
        lock (_all) _all.RemoveAll(measurement => measurement.Name == name);
        _listener.RecordObservableInstruments();
        return Sum(name, tags);
    }

    public void Dispose() => _listener.Dispose();

    private void Add(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var text = string.Join(' ', tags.ToArray().Select(tag => $"{tag.Key}={tag.Value}"));
        lock (_all) _all.Add((instrument.Name, text, value));
    }
}
