# An image with jaxgan and its experiments, for CPUs by default:
#   docker build -t jaxgan .
#   docker run --rm -v "$PWD/runs:/work/runs" jaxgan train dcgan
# For NVIDIA GPUs:
#   docker build -t jaxgan:cuda --build-arg EXTRAS=photos,privacy,cuda .
#   docker run --rm --gpus all -v "$PWD/runs:/work/runs" jaxgan:cuda train stylegan2 --data photos/
FROM python:3.13-slim

ARG EXTRAS=photos,privacy
COPY . /tmp/jaxgan
RUN pip install --no-cache-dir "/tmp/jaxgan[${EXTRAS}]" && rm -rf /tmp/jaxgan

RUN useradd --create-home jaxgan && mkdir /work && chown jaxgan /work
USER jaxgan
WORKDIR /work
ENTRYPOINT ["jaxgan"]
CMD ["--help"]
